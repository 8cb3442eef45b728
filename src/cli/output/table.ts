/**
 * The forwards of the live block as a table: aligned, with columns of constant width so that nothing moves while the
 * numbers do, and narrower layouts for narrower terminals.
 */
import type { ForwardSnapshot } from '../../connect/events.ts'
import type { Rate } from './rates.ts'
import { oneColumnEach, type Row, rowWidth, type Size, type Span, span } from './row.ts'
import { bytesWidth, formatBytes, formatRate, rateWidth } from './units.ts'

interface Line {
  readonly forward: ForwardSnapshot
  readonly rate: Rate
}

interface Layout {
  /** `127.0.0.1:5432`, or the port alone when the address is a loopback one. */
  readonly local: 'whole' | 'port'
  readonly traffic: 'totals and rates' | 'rates' | 'none'
  /** Longer targets lose their middle, unless there is room to spare. */
  readonly targetWidth: number
}

const narrowest: Layout = { local: 'port', traffic: 'none', targetWidth: 12 }

/** Widest first. */
const layouts: readonly Layout[] = [
  { local: 'whole', traffic: 'totals and rates', targetWidth: 140 },
  { local: 'port', traffic: 'totals and rates', targetWidth: 140 },
  { local: 'port', traffic: 'rates', targetWidth: 140 },
  { local: 'port', traffic: 'rates', targetWidth: 24 },
  { local: 'port', traffic: 'rates', targetWidth: 12 },
  { local: 'port', traffic: 'none', targetWidth: 24 },
  narrowest,
]

/** One row per forward, in the widest layout that fits; with more forwards than rows, the busiest and a last row. */
export function forwardRows(forwards: readonly ForwardSnapshot[], rates: readonly Rate[], size: Size): Row[] {
  const lines = forwards.map((forward, index) => ({ forward, rate: rates[index] ?? { up: 0, down: 0 } }))
  const digits = digitsOf(forwards.map(forward => forward.streamsOpen))
  return fitted(lines, size, ({ forward, rate }, layout) => [
    counted(forward.streamsOpen, digits, ' open'),
    ...traffic('↑', forward.bytesUp, rate.up, layout),
    ...traffic('↓', forward.bytesDown, rate.down, layout),
  ])
}

/** All forwards when all is over: how many connections, and how many bytes. */
export function totalRows(forwards: readonly ForwardSnapshot[], columns: number): Row[] {
  const lines = forwards.map(forward => ({ forward, rate: { up: 0, down: 0 } }))
  const digits = digitsOf(forwards.map(forward => forward.streamsTotal))
  return fitted(lines, { columns, rows: lines.length }, ({ forward }) => [
    counted(forward.streamsTotal, digits, forward.streamsTotal === 1 ? ' connection ' : ' connections'),
    ...total('↑', forward.bytesUp),
    ...total('↓', forward.bytesDown),
  ])
}

function fitted(lines: readonly Line[], size: Size, cells: (line: Line, layout: Layout) => Span[]): Row[] {
  const shown = busiest(lines, size.rows)
  const laidOut = (layout: Layout) => {
    const names = alignedNames(shown, layout)
    return shown.map((line, index) => [...(names[index] ?? []), ...cells(line, layout)])
  }
  const spare = (layout: Layout) => size.columns - Math.max(0, ...laidOut(layout).map(rowWidth))
  const layout = layouts.find(each => spare(each) >= 0) ?? narrowest
  const rows = laidOut({ ...layout, targetWidth: layout.targetWidth + Math.max(0, spare(layout)) })
  const hidden = lines.length - shown.length
  return hidden === 0 || size.rows < 1 ? rows : [...rows, [span(`… and ${hidden} more`, 'dim')]]
}

/** The lines that fit, by how much they do, in the order they were given: a row keeps its place among the others. */
function busiest(lines: readonly Line[], rows: number): readonly Line[] {
  if (lines.length <= rows) return lines
  const business = ({ forward, rate }: Line) => [
    rate.up + rate.down,
    forward.streamsOpen,
    forward.bytesUp + forward.bytesDown,
  ]
  const ranked = [...lines].sort((a, b) => compare(business(b), business(a)))
  const chosen = new Set(ranked.slice(0, Math.max(0, rows - 1)))
  return lines.filter(line => chosen.has(line))
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function alignedNames(lines: readonly Line[], { local, targetWidth }: Layout): Span[][] {
  const names = lines.map(({ forward }) => ({
    local: oneColumnEach(local === 'whole' ? forward.local : portOf(forward.local), 64),
    target: shorten(oneColumnEach(forward.target, 140), targetWidth),
  }))
  const localWidth = widest(names.map(({ local }) => local))
  const targetWidest = widest(names.map(({ target }) => target))
  return names.map(({ local, target }) => [
    span(local.padEnd(localWidth)),
    span(' → ', 'dim'),
    span(target.padEnd(targetWidest), 'accent'),
  ])
}

function counted(count: number, digits: number, noun: string): Span {
  return span(`  ${String(count).padStart(digits)}${noun}`, count > 0 ? 'plain' : 'dim')
}

function digitsOf(counts: readonly number[]): number {
  return widest(['10', ...counts.map(String)])
}

function traffic(arrow: string, bytes: number, rate: number, layout: Layout): Span[] {
  if (layout.traffic === 'none') return []
  const before = layout.traffic === 'rates' ? [span(`  ${arrow} `, 'dim')] : [...total(arrow, bytes), span(' ')]
  // Half a byte per second is shown as nothing, so it is nothing.
  return [...before, span(formatRate(rate).padStart(rateWidth), rate >= 0.5 ? 'bold' : 'dim')]
}

function total(arrow: string, bytes: number): Span[] {
  return [span(`  ${arrow} `, 'dim'), span(formatBytes(bytes).padStart(bytesWidth))]
}

function portOf(local: string): string {
  return local.replace(/^(127\.0\.0\.1|\[::1\]|localhost)(?=:)/, '')
}

/** Without its middle when it is longer than `width`. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text
  const head = Math.ceil((width - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`
}

export function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(text => text.length))
}
