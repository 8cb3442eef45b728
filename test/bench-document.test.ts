import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Comparison } from '../bench/comparison.ts'
import type { Contender } from '../bench/contenders/contender.ts'
import { type Digest, digestOf } from '../bench/document/digest.ts'
import { documentsOf } from '../bench/document/documents.ts'
import { chartsFolder, isChartOf, pages } from '../bench/document/pages.ts'
import { always, type Figure } from '../bench/measures/measure.ts'
import type { Part } from '../bench/part.ts'
import { type Report, reportOf, type Setting } from '../bench/report.ts'
import { type Outcome, resultsOf } from '../bench/result.ts'

const { file: pageFile, digest: digestFile } = pages.tunnel
const wicked = '<b>|`*_[x](y)\\&"\n~#'

const contender = (name: string, more: Partial<Contender> = {}): Contender => ({
  name,
  security: name.endsWith('-tls') ? 'tls' : 'plain',
  about: { hops: 3, transport: `way of ${name}`, install: `apt-get install ${name}`, note: wicked },
  start: () => Promise.reject(new Error('not here')),
  ...more,
})
const contenders: readonly Contender[] = [
  contender('direct'),
  contender('haproxy'),
  contender('tunnelctl', { about: { hops: 3, transport: 'streams' } }),
  contender('broken'),
  contender('absent', { missing: 'absent' }),
  contender('haproxy-tls'),
  contender('tunnelctl-tls'),
]

const figure = (id: string, more: Partial<Figure> = {}): Figure => ({
  ...{ id, label: `label of ${id}`, unit: 'Gbit/s', better: 'more' },
  ...more,
})
const bulk = figure('bulk-up-1', { label: `bulk ${wicked}`, aims: { plain: { ratio: 1.2 }, tls: { ratio: 0.9 } } })
const latency = figure('roundtrip-p50', { unit: 'µs', better: 'less', aims: { plain: { ratio: 1.6 } } })
const cost = figure('cpu-bulk-up-1', { unit: 's/GB', better: 'less' })
const typing = figure('typing-up-p99', { unit: 'ms', better: 'less', aims: always({ value: 130 }) })

/** `values` by contender, or by contender and process; of the others why there are none. */
function outcomes(of: Figure, values: Readonly<Record<string, number | Readonly<Record<string, number>>>>): Outcome[] {
  return contenders.map(each => {
    const { name, missing } = each
    const value = values[name]
    if (missing !== undefined) return { contender: each, readings: [], skipped: missing }
    if (value === undefined) return { contender: each, readings: [], failed: `${wicked} at /some/where/file.ts` }
    if (typeof value === 'number') return { contender: each, readings: [{ figure: of, values: [value, value * 1.25] }] }
    const readings = Object.entries(value).map(([process, its]) => ({ figure: of, process, values: [its] }))
    return { contender: each, readings }
  })
}
const partOf = (id: string, of: Figure, values: Parameters<typeof outcomes>[1], note?: string): Part => ({
  ...{ id, label: `part ${id}`, results: resultsOf(id, [of], outcomes(of, values)) },
  ...(note !== undefined && { note }),
})

const all = { direct: 20, haproxy: 4, tunnelctl: 3, 'haproxy-tls': 2, 'tunnelctl-tls': 2 }
const parts: readonly Part[] = [
  partOf('standard', bulk, all),
  partOf('standard-cpu', cost, {
    haproxy: { haproxy: 1, all: 1 },
    tunnelctl: { gateway: 1, agent: 2, all: 3 },
  }),
]
const linkParts: readonly Part[] = [partOf('wan near', typing, { haproxy: 300, tunnelctl: 400 }, wicked)]

const setting: Setting = {
  date: '2025-01-02T03:04:05.000Z',
  command: 'npm run bench -- --peers',
  minutes: 4.5,
  machine: { cpu: `any ${wicked}`, cores: 2, memoryGiB: 8, kernel: 'Linux 6' },
  versions: { node: '20.0.0', haproxy: '2.6', tunnelctl: '0.1.0', commit: 'abc' },
  contenders,
  rounds: 2,
  longRounds: 1,
  seconds: 2,
  idle: 0,
  verifyBytes: 0,
}
function report(its: readonly Part[], more: Partial<Setting> = {}): Report {
  const comparison: Comparison = { checks: [], parts: its, failed: true }
  return JSON.parse(JSON.stringify(reportOf({ ...setting, ...more }, comparison))) as Report
}
const second = { date: '2025-01-03T00:00:00.000Z', command: 'npm run bench' }
const reports = [report(parts), report(linkParts, second)]

describe('the page of the benchmarks', () => {
  const documents = documentsOf(digestOf(reports))
  const page = documents.get(pageFile) ?? ''
  const charts = [...documents].filter(([path]) => path.endsWith('.svg'))

  test('is the same for the same results, and can be made again from the digest beside it', () => {
    assert.deepEqual(documentsOf(digestOf(reports)), documents)
    assert.deepEqual(documentsOf(JSON.parse(documents.get(digestFile) ?? '') as Digest), documents)
  })

  test('names every contender with its hops and its transport, and how to get one that was skipped', () => {
    for (const { name } of contenders) assert.match(page, new RegExp(`^\\| ${name} \\|.* 3 \\|`, 'm'))
    assert.match(page, /^\| absent \| 3 \| way of absent; .* \| absent \| `apt-get install absent` \|$/m)
    assert.match(page, /^apt-get install absent$/m)
  })

  test('says what was measured where, when, and by which commands', () => {
    for (const wanted of ['2 cores, 8 GiB, Linux 6', 'node 20\\.0\\.0, haproxy 2\\.6', 'commit \\| abc'])
      assert.match(page, new RegExp(wanted))
    assert.match(
      page,
      /^\| 1 \| 2025-01-02 03:04 UTC \| `npm run bench -- --peers` \| .* \| standard; standard-cpu \|$/m,
    )
    assert.match(page, /^\| 2 \| 2025-01-03 00:00 UTC \| `npm run bench` \|/m)
    assert.match(page, /^npm run bench -- --peers --json run-1\.json\nnpm run bench -- --json run-2\.json$/m)
  })

  test('names every aim that was missed, and those that were not measured', () => {
    const [missed = '', open = ''] = page.slice(0, page.indexOf('## How')).split('Not measured:')
    assert.match(page, /^tunnelctl reaches 1 of the 3 aims that were measured\.$/m)
    assert.match(missed, /^\| part standard \|.* \| tunnelctl \| ≥ 1\.20 × haproxy \| 0\.75 × \|$/m)
    assert.match(missed, /^\| part wan near \|.* \| tunnelctl \| ≤ 130 ms \| 450 ms \|$/m)
    assert.match(open, /^\| part wan near \|.* \| tunnelctl-tls \| ≤ 130 ms \| failed: .* \|$/m)
  })

  test('has median, range, ratio, aim and verdict of each, and what failed', () => {
    assert.match(
      page,
      /^\| \*\*tunnelctl\*\* \| 3\.38 \| 3\.00 – 3\.75 \| 0\.75 \| ≥ 1\.20 × haproxy: \*\*missed\*\* \|$/m,
    )
    assert.match(page, /^\| \*\*tunnelctl-tls\*\* \| .* \| 1\.00 \| ≥ 0\.90 × haproxy-tls: reached \|$/m)
    assert.match(page, /^\| haproxy \| 4\.50 \| 4\.00 – 5\.00 \| 1\.00 \| {2}\|$/m)
    assert.match(page, /^\| broken: failed: .* at file\.ts \|/m)
    assert.match(page, /^\| \*\*tunnelctl, gateway\*\* \| 1\.00 \|/m)
    assert.doesNotMatch(page, /^\| haproxy, haproxy/m)
  })

  test('counts what failed in the end as failed, whatever was measured before', () => {
    const [first] = reports
    assert.ok(first)
    const results = first.results.map(each => (each.contender === 'tunnelctl' ? { ...each, failed: 'late' } : each))
    const made = documentsOf(digestOf([{ ...first, results }]))
    assert.match(made.get(pageFile) ?? '', /^tunnelctl reaches 1 of the 1 aims that were measured\.$/m)
    assert.match(made.get(pageFile) ?? '', /\| tunnelctl \| ≥ 1\.20 × haproxy \| failed: late \|$/m)
  })

  test('keeps every text in its cell, and marks up nothing that is in it', () => {
    const literal = '\\<b\\>\\|\\`\\*\\_\\[x\\](y)\\\\\\&" \\~\\#'
    assert.ok(page.includes(literal))
    assert.ok(!page.replaceAll('\\<b\\>', '').includes('<b>'))
    for (const line of page.split('\n').filter(each => each.startsWith('| ')))
      assert.ok([3, 4, 6, 7].includes(line.match(/(?<!\\)\|/g)?.length ?? 0), line)
  })

  test('has charts of which each is in the page, is well-formed and shows who failed', () => {
    assert.deepEqual(
      charts.map(([path]) => path),
      ['charts/bulk.svg', 'charts/cpu.svg', 'charts/wan.svg'],
    )
    for (const [path, svg] of charts) {
      assert.ok(page.includes(`](${path})`))
      assert.doesNotMatch(svg, /<b>|NaN|undefined|&(?!amp;|lt;|gt;|quot;)/)
      const open = svg.match(/<(?![/?])[^>]*[^/]>/g)?.length
      assert.equal(open, svg.match(/<\//g)?.length)
      assert.match(svg, />failed</)
    }
    assert.match(charts[0]?.[1] ?? '', /<rect class="ours"/)
    assert.doesNotMatch(charts[0]?.[1] ?? '', /absent/)
  })

  test('is made of anything: nothing measured, no yardstick, only failures', () => {
    const nothing: Readonly<Record<string, number>> = {}
    for (const its of [[], [partOf('standard', latency, nothing)], [partOf('standard', latency, { tunnelctl: 0 })]]) {
      const made = documentsOf(digestOf([report(its, { contenders: contenders.slice(2) })]))
      assert.match(made.get(pageFile) ?? '', /^# Benchmarks\n/)
      assert.doesNotMatch([...made.values()].join(), /NaN|undefined/)
    }
  })

  test('is refused for reports that cannot stand beside each other', () => {
    assert.throws(() => digestOf([]), /there is no report/)
    assert.throws(() => digestOf([report(parts), report(parts)]), /the part standard is in two reports/)
    const versions = { ...setting.versions, commit: 'def' }
    assert.throws(() => digestOf([report(parts), report([], { versions })]), /differ in commit: abc and def/)
    const other = { ...setting.machine, cores: 4 }
    assert.throws(() => digestOf([report(parts), report([], { machine: other })]), /differ in cores: 2 and 4/)
    assert.throws(() => digestOf([{ ...report(parts), v: 2 } as unknown as Report]), /of version 2, not 3/)
  })
})

describe('npm run bench:document', () => {
  const program = fileURLToPath(new URL('../bench/document.ts', import.meta.url))
  const document = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', program, ...args], { encoding: 'utf8' })

  test('writes what it makes, drops charts that are no more, and makes it again without the reports', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-document-'))
    try {
      const files = reports.map((each, index) => {
        const file = join(folder, `${index}.json`)
        writeFileSync(file, JSON.stringify(each))
        return file
      })
      const made = () => Object.fromEntries([...documentsOf(digestOf(reports)).keys()].map(path => [path, read(path)]))
      const read = (path: string) => readFileSync(join(folder, path), 'utf8')
      assert.equal(document('--out', folder, ...files).status, 0)
      assert.deepEqual(new Map(Object.entries(made())), documentsOf(digestOf(reports)))
      const before = made()
      writeFileSync(join(folder, chartsFolder, 'old.svg'), '')
      writeFileSync(join(folder, pageFile), 'by hand')
      assert.equal(document('--out', folder).status, 0)
      assert.deepEqual(made(), before)
      assert.ok(!existsSync(join(folder, chartsFolder, 'old.svg')))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('says in one line what is wrong with what it got', () => {
    const { status, stderr } = document('--out', tmpdir(), join(tmpdir(), 'no-such-report.json'))
    assert.equal(status, 2)
    assert.match(stderr, /^ENOENT.*\nsee npm run bench:document -- --help\n$/)
  })
})

const docs = fileURLToPath(new URL('../docs/', import.meta.url))

for (const page of Object.values(pages)) {
  test(`docs/${page.file} and its charts are what is made of the digest beside them`, () => {
    const made = documentsOf(JSON.parse(readFileSync(join(docs, page.digest), 'utf8')) as Digest, page)
    for (const [path, text] of made) assert.equal(readFileSync(join(docs, path), 'utf8'), text, `${path} was edited`)
    const kept = readdirSync(join(docs, chartsFolder)).filter(name => name.endsWith('.svg') && isChartOf(page, name))
    const charts = [...made.keys()].filter(path => path.endsWith('.svg'))
    assert.deepEqual(kept.map(name => `${chartsFolder}/${name}`).sort(), charts.sort())
  })
}

test('docs/charts/ has nothing that no page is made of', () => {
  const digests = Object.values(pages).map(({ digest }) => digest)
  const others = readdirSync(join(docs, chartsFolder)).filter(name => !name.endsWith('.svg'))
  for (const name of others) assert.ok((digests as string[]).includes(`${chartsFolder}/${name}`), name)
})

test('the page of the ingress says how it is measured and made, and leaves the charts of the other alone', () => {
  const made = documentsOf(digestOf([report([partOf('ingress-http', bulk, all)])]), pages.ingress)
  const page = made.get(pages.ingress.file) ?? ''
  assert.match(page, /^# Benchmarks of the ingress\n/)
  assert.match(page, /^npm run bench:document -- --ingress run-1\.json$/m)
  assert.match(page, /`npm run bench:ingress -- --help`/)
  assert.ok(isChartOf(pages.ingress, 'ingress-requests.svg') && !isChartOf(pages.ingress, 'bulk.svg'))
  assert.ok(isChartOf(pages.tunnel, 'bulk.svg') && !isChartOf(pages.tunnel, 'ingress-requests.svg'))
})
