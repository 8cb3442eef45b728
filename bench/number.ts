/** Three significant digits, thousands kept apart. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 999.5) return Math.round(value).toLocaleString('en-US')
  // Without an exponent: what is that small is nothing.
  return Math.abs(value) < 0.001 ? value.toFixed(3) : value.toPrecision(3)
}

/** Two digits after the point, as long as they say something. */
export const formatRatio = (value: number): string => (value < 99.995 ? value.toFixed(2) : formatNumber(value))
