/** Small numbers about a few samples. Every function throws on an empty list. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function summarize(values: readonly number[]): Summary {
  return { median: quantile(values, 0.5), min: quantile(values, 0), max: quantile(values, 1) }
}

/**
 * The smallest sample that at least the share `q` (0 to 1) of all samples does not exceed. The median (0.5) of an even
 * number of samples is the mean of the two middle ones.
 */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const position = q * sorted.length
  const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(position) - 1))]
  if (value === undefined) throw new RangeError('no samples')
  const next = sorted[position]
  return q === 0.5 && next !== undefined ? (value + next) / 2 : value
}

/**
 * How `values` compare with `yardstick`: the median of the ratios round by round, so that a disturbance which slows a
 * whole round cancels out. Undefined when no round has both.
 */
export function ratio(
  values: readonly (number | undefined)[],
  yardstick: readonly (number | undefined)[],
): number | undefined {
  const ratios: number[] = []
  for (const [round, value] of values.entries()) {
    const other = yardstick[round]
    if (value !== undefined && other !== undefined && other > 0) ratios.push(value / other)
  }
  return ratios.length === 0 ? undefined : quantile(ratios, 0.5)
}

/** How equal shares are, by Jain: 1 when all are the same, 1/n when one of n has everything. */
export function jain(shares: readonly number[]): number {
  if (shares.length === 0) throw new RangeError('no samples')
  const sum = shares.reduce((total, share) => total + share, 0)
  const squares = shares.reduce((total, share) => total + share * share, 0)
  return squares === 0 ? 0 : (sum * sum) / (shares.length * squares)
}
