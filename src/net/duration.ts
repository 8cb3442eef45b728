/** Spans of time as people type and read them. Everything between is a number of milliseconds. */
import { TunnelError } from '../errors.ts'
import { quote } from './quote.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const shape = /^(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/

/**
 * @param text `90s`, `30m`, `8h`, `7d`, `500ms`, or several in this order of size: `1h30m`; zero may be written `0`
 * @returns whole milliseconds. A timer of Node takes at most 2 147 483 647 of them (24 days): the caller bounds what it
 *   hands to one.
 * @throws TunnelError USAGE
 */
export function parseDuration(text: string): number {
  const parts = text === '0' ? ['', '0'] : shape.exec(text)
  if (parts === null || text === '') throw badDuration(text)
  const [, days = 0, hours = 0, minutes = 0, seconds = 0, rest = 0] = parts.map(Number).map(part => part || 0)
  const ms = days * day + hours * hour + minutes * minute + seconds * second + rest
  if (!Number.isSafeInteger(ms)) throw badDuration(text)
  return ms
}

/**
 * One number and one unit, to the nearest: `250 ms`, `3 s`, `2 min`, `3 h`, `5 d`. A unit begins at two of it (90 s stays
 * `90 s`), so that rounding hides little of it.
 */
export function formatDuration(ms: number): string {
  if (ms < second) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 2 * minute) return `${Math.round(ms / second)} s`
  if (ms < 2 * hour) return `${Math.round(ms / minute)} min`
  if (ms < 2 * day) return `${Math.round(ms / hour)} h`
  return `${Math.round(ms / day)} d`
}

function badDuration(text: string): TunnelError {
  return new TunnelError('USAGE', `malformed duration ${quote(text)}`, {
    hint: 'write it as 90s, 30m, 8h, 7d or 1h30m',
  })
}
