/** All that is made from a digest, by path below docs/. */
import { chartsOf } from './charts.ts'
import { type Digest, formatDigest } from './digest.ts'
import { formatPage } from './page.ts'

/** The digest itself, from which all of it can be made again. */
export const digestFile = 'charts/benchmarks.json'
export const pageFile = 'benchmarks.md'
export const chartsFolder = 'charts'

/** The same digest gives the same texts. */
export function documentsOf(digest: Digest): Map<string, string> {
  const charts = chartsOf(digest)
  return new Map([
    [pageFile, formatPage(digest, charts, digestFile)],
    [digestFile, formatDigest(digest)],
    ...charts.map(({ file, svg }) => [`${chartsFolder}/${file}`, svg] as const),
  ])
}
