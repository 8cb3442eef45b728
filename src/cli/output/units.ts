/** Numbers for people: at most three digits and an SI unit, so that a column of them stays where it is. */

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']
/** How wide `formatBytes` and `formatRate` can get: `1.23 MB`, `1.23 MB/s`. Pad to these to align. */
export const bytesWidth = 7
export const rateWidth = bytesWidth + 2

/** `0 B`, `999 B`, `1.23 kB`, `34.5 MB`, `345 GB`. Less than nothing, and no number, is nothing. */
export function formatBytes(bytes: number): string {
  let value = Math.min(Math.max(0, bytes || 0), 999e18)
  let unit = 0
  // 999.5 would be shown as 1000, which has four digits.
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${byteUnits[unit]}`
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}

/** A span that is measured: `0.31 ms`, `2.4 ms`, `23 ms`, `3.2 s`, `45 s`, then as `formatElapsed`. */
export function formatMs(ms: number): string {
  const value = Math.max(0, ms || 0)
  if (value < 0.005) return '0 ms'
  if (value < 999.5) return `${value.toFixed(value < 0.995 ? 2 : value < 9.95 ? 1 : 0)} ms`
  const seconds = value / 1000
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`
  return formatElapsed(value)
}

/** Time that goes by, in whole units that have passed: `45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms || 0) / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${seconds} s`
  if (hours === 0) return `${minutes} min`
  return hours < 24 ? pair(hours, 'h', minutes % 60, 'min') : pair(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const bars = '▁▂▃▄▅▆▇█'

/**
 * One bar per value, the smallest at the bottom. Twice the smallest is always within the picture, and so is the smallest
 * plus `calm`: jitter looks like jitter, and only a real change looks like one.
 */
export function sparkline(values: readonly number[], calm = 0): string {
  const low = Math.min(...values)
  const high = Math.max(...values, 2 * low, low + calm)
  const step = (high - low) / (bars.length - 1)
  return values.map(value => bars[step > 0 ? Math.round((value - low) / step) : 0] ?? '').join('')
}

function threeDigits(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
}

function pair(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major} ${majorUnit}` : `${major} ${majorUnit} ${minor} ${minorUnit}`
}
