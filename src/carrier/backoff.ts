/**
 * How long to wait before the next dial: hardly after the first loss, then with full jitter, so that thousands of ends
 * that lost the same gateway do not come back together. A gateway that restarts is back within seconds, and is found then
 * (docs/decisions/0009); one that is away for longer is asked less often.
 */

const FIRST_MAX_MS = 250
const BASE_MS = 100
/** The longest wait up to an attempt: for some 2 seconds, for some 20, and from then on. */
const caps = [
  { below: 10, ms: 500 },
  { below: 30, ms: 2_000 },
  { below: Number.POSITIVE_INFINITY, ms: 10_000 },
]

/**
 * @param attempt 0 for the first try after a loss
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, random: number): number {
  const cap = caps.find(({ below }) => attempt < below)?.ms ?? 0
  const most = attempt === 0 ? FIRST_MAX_MS : Math.min(cap, BASE_MS * 2 ** attempt)
  return Math.round(random * most)
}
