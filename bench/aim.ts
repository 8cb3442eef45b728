/** What is aimed at, for the reader. */
import type { Aim, Figure } from './measures/measure.ts'

/** @param yardstick the name of what a ratio is to */
export function formatAim(aim: Aim, { better, unit }: Pick<Figure, 'better' | 'unit'>, yardstick: string): string {
  const goal = 'ratio' in aim ? `${aim.ratio.toFixed(2)} × ${yardstick}` : `${aim.value} ${unit}`
  return `${better === 'more' ? '≥' : '≤'} ${goal}`
}

export const verdict = (reached: boolean): string => (reached ? 'reached' : 'missed')
