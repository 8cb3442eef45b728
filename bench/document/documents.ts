/** All that is made from a digest, by path below docs/. */
import { chartsOf } from './charts.ts'
import { type Digest, formatDigest } from './digest.ts'
import { formatPage } from './page.ts'
import { chartsFolder, type PageFacts, pages } from './pages.ts'

/** The same digest gives the same texts. */
export function documentsOf(digest: Digest, page: PageFacts = pages.tunnel): Map<string, string> {
  const charts = chartsOf(digest)
  return new Map([
    [page.file, formatPage(digest, charts, page)],
    [page.digest, formatDigest(digest)],
    ...charts.map(({ file, svg }) => [`${chartsFolder}/${file}`, svg] as const),
  ])
}
