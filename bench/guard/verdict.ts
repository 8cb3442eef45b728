/** How a figure compares with the baseline. Less is better, of every figure. */
import type { Baseline, Entry } from './baseline.ts'

/** `new`: the baseline does not know it. `missing`: the baseline knows it, and it was not measured. */
export type Judgement = 'ok' | 'slower' | 'faster' | 'new' | 'missing'

export interface Verdict {
  readonly id: string
  readonly judgement: Judgement
  readonly baseline?: number
  readonly now?: number
  /** A share of the baseline: 0.03 is 3 % more. */
  readonly change?: number
  readonly tolerance?: number
}

/** One for each figure, then one for each that is missing. */
export function judge(figures: ReadonlyMap<string, number>, { entries }: Baseline): Verdict[] {
  const verdicts = [...figures].map(([id, now]) => judgeOne(id, now, entries[id]))
  for (const [id, { figure, tolerance }] of Object.entries(entries))
    if (!figures.has(id)) verdicts.push({ id, judgement: 'missing', baseline: figure, tolerance })
  return verdicts
}

function judgeOne(id: string, now: number, entry: Entry | undefined): Verdict {
  if (entry === undefined) return { id, judgement: 'new', now }
  const { figure: baseline, tolerance } = entry
  const change = now / baseline - 1
  // So written that a figure which is no number is slower.
  const judgement = change < -tolerance ? 'faster' : change <= tolerance ? 'ok' : 'slower'
  return { id, judgement, baseline, now, change, tolerance }
}

/** The run is not good: something is slower, or is not guarded. */
export const failed = (verdicts: readonly Verdict[]): boolean =>
  verdicts.some(({ judgement }) => judgement !== 'ok' && judgement !== 'faster')
