/** The numbers of a comparison: what was read of each contender, and what that means beside the others. */
import type { Contender, Security } from './contenders/contender.ts'
import { yardstickOf } from './contenders/contenders.ts'
import type { Aim, Figure } from './measures/measure.ts'
import { ratio, type Summary, summarize } from './statistics.ts'

/** What one contender gave for one figure. */
export interface Reading {
  readonly figure: Figure
  /** Its process that the figure is about, by role. Absent: the contender as a whole. */
  readonly process?: string
  /** By round; a round that failed has none. */
  readonly values: readonly (number | undefined)[]
  /** For the reader: what stands behind the values. */
  readonly note?: string
}

/** Why there is nothing: a missing thing, in one word, or what went wrong. */
export interface Absence {
  readonly skipped?: string
  readonly failed?: string
}

/** What came out of a part of the comparison for one contender. */
export interface Outcome extends Absence {
  readonly contender: Contender
  readonly readings: readonly Reading[]
}

/** One figure of one contender, or of one of its processes. Without values, `skipped` or `failed` says why. */
export interface Result extends Omit<Figure, 'aims'>, Partial<Summary>, Absence {
  /** What it was measured in: `standard`, `wan 100ms/200Mbit`. */
  readonly part: string
  readonly contender: string
  readonly security: Security
  readonly process?: string
  /** Of tunnelctl, at this security; given with every contender. */
  readonly aim?: Aim
  readonly values: readonly number[]
  /** To the yardstick of the same security. */
  readonly ratio?: number
  /** Only of tunnelctl, where there is an aim: whether it was reached. Absent when that cannot be said. */
  readonly reached?: boolean
  readonly note?: string
}

/** The role under which the sum over all processes stands. */
export const allProcesses = 'all'

/** Whether the aims are meant for this contender. */
export const isOurs = (contender: string): boolean => /^tunnelctl(-|$)/.test(contender)

/**
 * By figure, in the order in which they are declared; figures that only readings have follow.
 * @param figures what a contender that gave nothing is absent from
 */
export function resultsOf(part: string, figures: readonly Figure[], outcomes: readonly Outcome[]): Result[] {
  const declared = new Set(figures.map(({ id }) => id))
  const found = outcomes.flatMap(({ readings }) => readings.map(({ figure }) => figure))
  const all = new Map([...figures, ...found].map(figure => [figure.id, figure]))
  return [...all.values()].flatMap(figure =>
    outcomes.flatMap(outcome => {
      const readings = outcome.readings.filter(reading => reading.figure.id === figure.id)
      const absent = readings.length === 0 && declared.has(figure.id) && isAbsent(outcome)
      const shown = absent ? [{ figure, values: [] }] : readings
      return shown.map(reading => resultOf(part, reading, outcome, yardstickFor(reading, outcome, outcomes)))
    }),
  )
}

const isAbsent = ({ skipped, failed }: Absence): boolean => skipped !== undefined || failed !== undefined

function yardstickFor(
  { figure, process }: Reading,
  { contender }: Outcome,
  outcomes: readonly Outcome[],
): Reading | undefined {
  const standard = outcomes.find(outcome => outcome.contender.name === yardstickOf(contender.security))
  return standard?.readings.find(reading => reading.figure.id === figure.id && reading.process === process)
}

function resultOf(part: string, reading: Reading, outcome: Outcome, standard: Reading | undefined): Result {
  const { figure, process, note } = reading
  const { name, security } = outcome.contender
  const { aims, ...facts } = figure
  const values = reading.values.filter(value => value !== undefined)
  const aim = aims?.[security]
  const compared = standard && ratio(reading.values, standard.values)
  const summary = values.length === 0 ? undefined : summarize(values)
  const reached = aim && isOurs(name) ? isReached(figure, aim, { ratio: compared, value: summary?.median }) : undefined
  return {
    part,
    ...facts,
    ...(aim && { aim }),
    contender: name,
    security,
    ...(process !== undefined && { process }),
    values,
    ...summary,
    ...(compared !== undefined && { ratio: compared }),
    ...(reached !== undefined && { reached }),
    ...(note !== undefined && { note }),
    ...(outcome.skipped !== undefined && { skipped: outcome.skipped }),
    ...(outcome.failed !== undefined && { failed: outcome.failed }),
  }
}

function isReached(
  { better }: Figure,
  aim: Aim,
  got: { readonly ratio: number | undefined; readonly value: number | undefined },
): boolean | undefined {
  const [wanted, is] = 'ratio' in aim ? [aim.ratio, got.ratio] : [aim.value, got.value]
  if (is === undefined) return undefined
  return better === 'more' ? is >= wanted : is <= wanted
}
