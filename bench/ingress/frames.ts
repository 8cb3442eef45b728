/** What it costs to look at the frames that pass. */
import { always, type Figure } from '../measures/measure.ts'
import type { Outcome, Reading } from '../result.ts'
import { framesOnly } from './contenders.ts'

export const framesFigure: Figure = {
  id: 'frames-rate',
  label: 'WebSocket echoes, of as many with --log-frames off',
  unit: '%',
  better: 'more',
  aims: always({ value: 90 }),
}

/**
 * Those that look, beside the one that does not, round by round.
 * @param outcomes of the throughput
 */
export function framesOutcomes(outcomes: readonly Outcome[]): Outcome[] {
  const off = outcomes.find(({ contender }) => contender.name === 'tunnelctl')?.readings[0]
  return outcomes
    .filter(({ contender }) => framesOnly.has(contender.name))
    .map(outcome => ({ ...outcome, readings: outcome.readings.map(reading => beside(reading, off)) }))
}

function beside({ values }: Reading, off: Reading | undefined): Reading {
  const shares = values.map((value, round) => {
    const whole = off?.values[round]
    return value === undefined || whole === undefined ? undefined : (value / whole) * 100
  })
  return { figure: framesFigure, values: shares }
}
