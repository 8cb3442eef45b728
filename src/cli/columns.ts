/** Tables on stdout. */
import { escapeText } from '../observe/escape.ts'

/** Columns as wide as their widest cell, three blanks between them, as kubectl prints them. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const shown = rows.map(row => row.map(cell => escapeText(cell)))
  const widths = (shown[0] ?? []).map((_, column) => Math.max(...shown.map(row => row[column]?.length ?? 0)))
  return shown
    .map(
      row =>
        `${row
          .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
          .join('')
          .trimEnd()}\n`,
    )
    .join('')
}
