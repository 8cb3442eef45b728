/** Horizontal bars as SVG: a row for each contender, a column for each figure, bands of them one below the other. */
import { formatNumber, formatRatio } from '../number.ts'
import type { Summary } from '../statistics.ts'

export interface Chart {
  readonly title: string
  /** How to read it. */
  readonly legend: string
  readonly bands: readonly Band[]
}

export interface Band {
  readonly heading?: string
  readonly columns: readonly Column[]
  /** From top to bottom; a group without a name has no line of its own. */
  readonly groups: readonly { readonly name?: string; readonly rows: readonly BandRow[] }[]
}

export interface Column {
  readonly label: string
  readonly unit: string
}

export type Tone = 'ours' | 'yardstick' | 'other'

export interface BandRow {
  readonly name: string
  readonly tone: Tone
  /** By column; what is no bar is a word in its place. */
  readonly cells: readonly (Bar | string)[]
}

export interface Bar extends Summary {
  readonly ratio?: number
}

const width = 880
const margin = 16
/** Of a letter; of a bold one it is more. */
const charWidth = 6.4
const boldWidth = 7.4
const rowHeight = 20
const barHeight = 11
const lineHeight = 14
const numberWidth = 108
const columnGap = 12
/** A bar is cut where it is longer than so many times those that the chart is about: they would be too short to see. */
const cutAt = 2.5

const style = `
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 12px; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .bold { font-weight: 600 } .muted { font-size: 11px; fill: #59636e }
.number { font-size: 11px } .paper { fill: #ffffff; stroke: #d1d9e0 }
.ours { fill: #0969da } .yardstick { fill: #7a8591 } .other { fill: #c2cad3 }
.range { stroke: #1f2328 } .base { stroke: #d1d9e0 } .cut { stroke: #ffffff; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .muted { fill: #9198a1 } .paper { fill: #0d1117; stroke: #3d444d }
.ours { fill: #4493f8 } .yardstick { fill: #8b949e } .other { fill: #4a525c }
.range { stroke: #e6edf3 } .base { stroke: #3d444d } .cut { stroke: #0d1117 }
}`

/** The same chart gives the same text. */
export function formatChart({ title, legend, bands }: Chart): string {
  const names = bands.flatMap(({ groups }) => groups.flatMap(({ rows }) => rows.map(({ name }) => name.length)))
  const nameWidth = Math.max(0, ...names) * boldWidth + 8
  let y = margin + 12
  const drawn = [text(margin, y, title, 'title')]
  for (const line of wrapped(legend, (width - 2 * margin) / charWidth)) {
    y += lineHeight + 2
    drawn.push(text(margin, y, line, 'muted'))
  }
  y += 10
  for (const band of bands) {
    const { parts, end } = drawBand(band, nameWidth, y)
    drawn.push(...parts)
    y = end
  }
  const height = y + margin / 2
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style}\n</style>`,
    `<rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function drawBand({ heading, columns, groups }: Band, nameWidth: number, top: number): Drawn {
  const parts: string[] = []
  let y = top
  if (heading !== undefined) {
    y += rowHeight
    parts.push(text(margin, y, heading, 'bold'))
  }
  const left = margin + nameWidth
  const columnWidth = (width - margin - left) / columns.length
  const at = (index: number) => left + index * columnWidth
  const labels = columns.map(({ label }) => wrapped(label, (columnWidth - columnGap) / boldWidth))
  const most = Math.max(...labels.map(lines => lines.length))
  for (const [index, lines] of labels.entries()) {
    for (const [line, words] of lines.entries()) {
      parts.push(text(at(index), y + (line + 1 + most - lines.length) * lineHeight + 4, words, 'bold'))
    }
    parts.push(text(at(index), y + (most + 1) * lineHeight + 4, columns[index]?.unit ?? '', 'muted'))
  }
  y += (most + 1) * lineHeight + 10
  const limits = columns.map((_, index) =>
    limitOf(
      groups.flatMap(({ rows }) => rows),
      index,
    ),
  )
  for (const { name, rows } of groups) {
    if (name !== undefined) {
      parts.push(text(margin, y + 14, name, 'muted'))
      y += rowHeight
    }
    for (const [index] of columns.entries()) {
      parts.push(`<path class="base" d="M${round(at(index))} ${y}v${rows.length * rowHeight}"/>`)
    }
    for (const row of rows) {
      parts.push(text(margin, y + 14, row.name, row.tone === 'ours' ? 'bold' : undefined))
      for (const [index, cell] of row.cells.entries()) {
        const length = columnWidth - numberWidth - columnGap
        parts.push(...drawCell(cell, row.tone, { x: at(index), y, length, limit: limits[index] ?? 0 }))
      }
      y += rowHeight
    }
    y += 6
  }
  return { parts, end: y + 4 }
}

/** What the longest bar of a column stands for. */
function limitOf(rows: readonly BandRow[], column: number): number {
  const most = (of: readonly BandRow[]): number =>
    Math.max(0, ...of.map(({ cells }) => cells[column]).map(cell => (typeof cell === 'object' ? cell.median : 0)))
  const about = most(rows.filter(({ tone }) => tone !== 'other'))
  return about > 0 ? Math.min(most(rows), cutAt * about) : most(rows)
}

interface Drawn {
  readonly parts: readonly string[]
  /** Where the next thing may begin. */
  readonly end: number
}

interface Place {
  readonly x: number
  readonly y: number
  /** Of the longest bar. */
  readonly length: number
  /** The value that is as long. */
  readonly limit: number
}

function drawCell(cell: Bar | string, tone: Tone, { x, y, length, limit }: Place): string[] {
  if (typeof cell === 'string') return [text(x + 6, y + 14, cell, 'muted')]
  const { median, min, max, ratio } = cell
  const scaled = (value: number) => (limit > 0 ? (Math.min(value, limit) / limit) * length : 0)
  const [middle, end, above] = [y + rowHeight / 2, scaled(median), y + (rowHeight - barHeight) / 2]
  const parts = [
    `<rect class="${tone}" x="${round(x)}" y="${above}" width="${round(end)}" height="${barHeight}"/>`,
    ...(max > min ? [`<path class="range" d="M${round(x + scaled(min))} ${middle}H${round(x + scaled(max))}"/>`] : []),
    ...(median > limit ? [`<path class="cut" d="M${round(x + end - 9)} ${above + barHeight}l4 -${barHeight}"/>`] : []),
  ]
  const words = ratio === undefined ? formatNumber(median) : `${formatNumber(median)} (${formatRatio(ratio)} ×)`
  const after = x + Math.max(end, scaled(max)) + 6
  return [...parts, text(after, y + 14, words, tone === 'ours' ? 'number bold' : 'number')]
}

function text(x: number, y: number, words: string, kind?: string): string {
  return `<text${kind === undefined ? '' : ` class="${kind}"`} x="${round(x)}" y="${round(y)}">${escaped(words)}</text>`
}

/** Lines of so many characters at most, but for a word that is longer. */
function wrapped(words: string, most: number): string[] {
  const lines: string[] = []
  for (const word of words.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && longer.length <= most) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

const round = (value: number): number => Math.round(value * 10) / 10

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** What no XML may hold goes away. */
function escaped(words: string): string {
  return words.replaceAll(/[\p{Cc}\ufffe\uffff]/gu, ' ').replaceAll(/[&<>"]/g, found => entities[found] ?? '')
}
