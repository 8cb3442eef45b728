/**
 * How long to wait before the next dial: hardly after the first loss, then with full jitter, so that thousands of ends
 * that lost the same gateway do not come back together.
 */

const FIRST_MAX_MS = 250
const BASE_MS = 100
const CAP_MS = 10_000

/**
 * @param attempt 0 for the first try after a loss
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, random: number): number {
  const most = attempt === 0 ? FIRST_MAX_MS : Math.min(CAP_MS, BASE_MS * 2 ** attempt)
  return Math.round(random * most)
}
