/** The connections that are open, as a table below the forwards, for whoever has asked for them. */
import type { StreamSnapshot } from '../../connect/events.ts'
import { oneColumnEach, type Row, type Size, spaced, span } from './row.ts'
import { shorten, widest } from './table.ts'
import { bytesWidth, formatBytes, formatElapsed } from './units.ts'

/** Narrower than this no target gets: a row that is still too wide is cut at its end. */
const leastTarget = 12

/** The newest of `streams`, which begin with the oldest, as far as there is room. */
export function connectionRows(streams: readonly StreamSnapshot[], { columns, rows }: Size): Row[] {
  if (rows < 1) return []
  if (streams.length === 0) return [[span('  no connection is open', 'dim')]]
  const hidden = streams.length > rows ? streams.length - (rows - 1) : 0
  const lines = streams.slice(hidden).map(({ id, target, ageMs, bytesUp, bytesDown }) => ({
    id: `  #${id}`,
    target: oneColumnEach(target, 140),
    age: `open ${formatElapsed(ageMs)}`,
    up: formatBytes(bytesUp).padStart(bytesWidth),
    down: formatBytes(bytesDown).padStart(bytesWidth),
  }))
  const idWidth = widest(lines.map(({ id }) => id))
  const ageWidth = widest(lines.map(({ age }) => age))
  const others = idWidth + ageWidth + 2 * ('  ↑ '.length + bytesWidth) + 2 * '  '.length
  const names = lines.map(({ target }) => shorten(target, Math.max(leastTarget, columns - others)))
  const nameWidth = widest(names)
  const shown = lines.map(({ id, age, up, down }, index) =>
    spaced([
      [span(id.padEnd(idWidth), 'dim')],
      [span((names[index] ?? '').padEnd(nameWidth), 'accent')],
      [span(age.padEnd(ageWidth))],
      [span('↑ ', 'dim'), span(up)],
      [span('↓ ', 'dim'), span(down)],
    ]),
  )
  return hidden === 0 ? shown : [[span(`  … and ${hidden} older`, 'dim')], ...shown]
}
