/** `npm run bench:document`: a page of the benchmarks and its charts, from what `npm run bench` wrote as JSON. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Digest, digestOf } from './document/digest.ts'
import { documentsOf } from './document/documents.ts'
import { chartsFolder, isChartOf, type PageFacts, pages } from './document/pages.ts'
import type { Report } from './report.ts'

const help = `Writes docs/benchmarks.md and its charts in docs/charts/ from the results of the bench.

npm run bench:document -- [FILE.json…]
  FILE.json        what npm run bench -- --json FILE.json wrote; several are parts of the same machine and commit
                   (default docs/${pages.tunnel.digest}, which the last call has left: it makes the same page anew)
  --ingress        docs/${pages.ingress.file} from what npm run bench:ingress wrote
  --out DIR        write there (default docs)
  --help
`

process.exit(main())

function main(): number {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        out: { type: 'string', default: 'docs' },
        ingress: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) process.stdout.write(help)
    else write(values.ingress ? pages.ingress : pages.tunnel, values.out, positionals)
    return 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\nsee npm run bench:document -- --help\n`)
    return 2
  }
}

function write(page: PageFacts, out: string, files: readonly string[]): void {
  const digest =
    files.length > 0 ? digestOf(files.map(file => read<Report>(file))) : read<Digest>(join(out, page.digest))
  const documents = documentsOf(digest, page)
  mkdirSync(join(out, chartsFolder), { recursive: true })
  const charts = readdirSync(join(out, chartsFolder)).filter(name => name.endsWith('.svg') && isChartOf(page, name))
  for (const name of charts) rmSync(join(out, chartsFolder, name))
  for (const [path, text] of documents) writeFileSync(join(out, path), text)
  process.stdout.write(`${[...documents.keys()].map(path => join(out, path)).join('\n')}\n`)
}

function read<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T
}
