/** One row of the live block: spans of text with a style, measured and cut before they are painted. */
import type { ChalkInstance } from 'chalk'
import { escapeText } from '../../observe/escape.ts'

export type Style = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'accent'

export interface Span {
  readonly text: string
  readonly style: Style
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** The text of its spans has one column per UTF-16 unit: see `oneColumnEach`. */
export type Row = readonly Span[]

export function span(text: string, style: Style = 'plain'): Span {
  return { text, style }
}

/** Spans or groups of spans with two spaces between; what is empty is left out. */
export function spaced(groups: readonly Row[]): Row {
  return groups.filter(group => rowWidth(group) > 0).flatMap((group, index) => (index === 0 ? group : [gap, ...group]))
}

const gap = span('  ')

export function rowWidth(row: Row): number {
  return row.reduce((width, { text }) => width + text.length, 0)
}

/** At most `columns` wide; a row that was cut ends in an ellipsis. */
export function clipRow(row: Row, columns: number): Row {
  if (rowWidth(row) <= columns) return row
  const clipped: Span[] = []
  let left = columns - 1
  for (const { text, style } of row) {
    if (left <= 0) break
    clipped.push({ text: text.slice(0, left), style })
    left -= text.length
  }
  return [...clipped, span('…', 'dim')]
}

export function paintRow(row: Row, paint: ChalkInstance): string {
  return row.map(({ text, style }) => painters[style](paint, text)).join('')
}

const painters: Record<Style, (paint: ChalkInstance, text: string) => string> = {
  plain: (_, text) => text,
  dim: (paint, text) => paint.dim(text),
  bold: (paint, text) => paint.bold(text),
  good: (paint, text) => paint.green(text),
  warn: (paint, text) => paint.yellow(text),
  bad: (paint, text) => paint.red(text),
  accent: (paint, text) => paint.cyan(text),
}

/**
 * Text from the wire or from a file, escaped, and every character that a terminal might not show in exactly one column
 * replaced. Rows count on it.
 */
export function oneColumnEach(text: string, maxLength = 256): string {
  return escapeText(text, maxLength).replace(/[^\x20-\x7e\u00a1-\u024f…]/gu, '?')
}
