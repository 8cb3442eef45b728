/** Which figures stand in which chart. */
import { isOurs } from '../result.ts'
import { type Band, type BandRow, type Bar, formatChart, type Tone } from './bars.ts'
import type { Digest, FigureRows, Row, Section } from './digest.ts'

export interface NamedChart {
  /** Without a folder. */
  readonly file: string
  readonly title: string
  /** The part that it belongs to; of several, the first. */
  readonly part: string
  readonly svg: string
}

interface Group {
  readonly file: string
  readonly title: string
  readonly parts: RegExp
  readonly figures: RegExp
}

const groups: readonly Group[] = [
  { file: 'bulk.svg', title: 'Bulk', parts: /^standard$/, figures: /^bulk-/ },
  { file: 'requests.svg', title: 'HTTP requests', parts: /^standard$/, figures: /^requests-/ },
  { file: 'latencies.svg', title: 'Latencies', parts: /^standard$/, figures: /^(roundtrip|connection)-/ },
  { file: 'cpu.svg', title: 'Processor time for a GB', parts: /^standard-cpu$/, figures: /^cpu-bulk-/ },
  {
    file: 'ingress-requests.svg',
    title: 'HTTP requests',
    parts: /^ingress-http$/,
    figures: /^(requests-|latency-p)/,
  },
  { file: 'ingress-bodies.svg', title: 'Bodies', parts: /^ingress-http$/, figures: /^body-/ },
  {
    file: 'ingress-websocket.svg',
    title: 'WebSocket',
    parts: /^ingress-websocket$/,
    figures: /^(upgrade-p50|echo-(1|100)-p50|echo-rate)$/,
  },
  {
    file: 'wan.svg',
    title: 'Over links',
    parts: /^wan /,
    figures: /^(link-share|link-full|link-goodput|typing|beside-p99)-/,
  },
]

/** So that a column has room for its bars. */
const mostColumns = 4

/** Those for which there are numbers. */
export function chartsOf(digest: Digest): NamedChart[] {
  const { plain, tls } = digest.yardsticks
  const legend =
    `Bar: median. Line: lowest to highest round. In brackets: ratio to ${plain}, with TLS to ${tls}. ` +
    'A cut bar goes on.'
  return groups.flatMap(({ file, title, parts, figures }) => {
    const its = digest.parts.filter(({ id }) => parts.test(id))
    const bands = its.flatMap(part =>
      bandsOf(
        digest,
        part.figures.filter(({ id, rows }) => figures.test(id) && rows.some(({ median }) => median !== undefined)),
        its.length > 1 ? part : undefined,
      ),
    )
    const [first] = its
    return first && bands.length > 0
      ? [{ file, title, part: first.id, svg: formatChart({ title, legend, bands }) }]
      : []
  })
}

/** @param part that the heading names */
function bandsOf(digest: Digest, figures: readonly FigureRows[], part?: Section): Band[] {
  const bands: Band[] = []
  for (let from = 0; from < figures.length; from += mostColumns) {
    const its = figures.slice(from, from + mostColumns)
    const columns = its.map(({ label, unit, better }) => ({ label, unit: `${unit}, ${better} is better` }))
    bands.push({ ...(part && from === 0 && { heading: part.label }), columns, groups: rowGroups(digest, its) })
  }
  return bands
}

/** Without TLS, and with it: like stands beside like. */
function rowGroups({ contenders, yardsticks }: Digest, figures: readonly FigureRows[]): Band['groups'] {
  const all = (['plain', 'tls'] as const).map(security => {
    const its = contenders.filter(contender => contender.security === security)
    const rows = its.flatMap(({ name }): BandRow[] => {
      const found = figures.map(({ rows }) => rows.find(row => row.contender === name && row.process === undefined))
      if (found.every(row => row === undefined || row.skipped !== undefined)) return []
      return [{ name, tone: toneOf(name, Object.values(yardsticks)), cells: found.map(cellOf) }]
    })
    return { name: security === 'plain' ? 'without TLS' : 'with TLS', rows }
  })
  const present = all.filter(({ rows }) => rows.length > 0)
  return present.length === 1 ? present.map(({ rows }) => ({ rows })) : present
}

function cellOf(row: Row | undefined): Bar | string {
  const { median, min, max, ratio, failed } = row ?? {}
  if (failed !== undefined) return 'failed'
  if (median === undefined || min === undefined || max === undefined) return '–'
  return { median, min, max, ...(ratio !== undefined && { ratio }) }
}

function toneOf(name: string, yardsticks: readonly string[]): Tone {
  if (isOurs(name)) return 'ours'
  return yardsticks.includes(name) ? 'yardstick' : 'other'
}
