/** The figures that a change is compared with, as baseline.json keeps them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { quantile } from '../statistics.ts'

export interface Setting {
  readonly node: string
  readonly arch: string
  readonly valgrind: string
}

export interface Entry {
  readonly figure: number
  readonly unit: string
  /** A change by a larger share is told. Chosen by hand; a new baseline keeps it. */
  readonly tolerance: number
  /** Of the runs that gave the figure: largest and smallest differ by this share. */
  readonly spread: number
}

export interface Baseline {
  readonly made: Setting & { readonly date: string; readonly runs: number }
  readonly entries: Readonly<Record<string, Entry>>
}

/** Of an entry that is new. */
const USUAL_TOLERANCE = 0.02

const file = new URL('baseline.json', import.meta.url)

export const readBaseline = (): Baseline => JSON.parse(readFileSync(file, 'utf8')) as Baseline

export const writeBaseline = (baseline: Baseline): void => writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`)

/**
 * The median of each figure in `runs`, and its spread.
 * @param before its tolerances are kept
 * @throws Error when a figure is spread so wide that a run within its tolerance would be luck
 */
export function renewed(
  runs: readonly ReadonlyMap<string, number>[],
  units: ReadonlyMap<string, string>,
  made: Baseline['made'],
  before?: Baseline,
): Baseline {
  const entries: Record<string, Entry> = {}
  for (const [id, unit] of units) {
    const figures = runs.map(run => run.get(id) ?? Number.NaN)
    const figure = quantile(figures, 0.5)
    const spread = (Math.max(...figures) - Math.min(...figures)) / figure
    const tolerance = before?.entries[id]?.tolerance ?? USUAL_TOLERANCE
    if (!(spread <= tolerance / 2))
      throw new Error(
        `${id}: a spread of ${formatShare(spread)} is too much for a tolerance of ${formatShare(tolerance)}`,
      )
    entries[id] = { figure, unit, tolerance, spread }
  }
  return { made, entries }
}

/** Two digits after the point: what is less says nothing. */
export const formatShare = (share: number): string => `${(share * 100).toFixed(2)} %`

/** Why figures of `now` say nothing beside those of `made`; undefined when they do. */
export function incomparable(made: Setting, now: Setting): string | undefined {
  if (made.node === now.node && made.arch === now.arch) return undefined
  return `the baseline is of Node ${made.node} on ${made.arch}, this is ${now.node} on ${now.arch}`
}
