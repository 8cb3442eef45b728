/** A part of the comparison: what every kind of it is made of. */
import { absence, type Entrant, reason } from './entrant.ts'
import type { Profile } from './link/profile.ts'
import type { Bench } from './measures/measure.ts'
import type { Plan } from './plan.ts'
import { type Outcome, type Reading, type Result, resultsOf } from './result.ts'
import type { Measured } from './rounds.ts'
import type { Services } from './services.ts'

/** What belongs together in the report. */
export interface Part {
  /** Stable, for the JSON; what its results name. */
  readonly id: string
  readonly label: string
  /** For the reader: what to know before comparing. */
  readonly note?: string
  readonly link?: Profile
  readonly results: readonly Result[]
}

/** What the parts share. */
export interface Stage {
  readonly plan: Plan
  readonly services: Services
  readonly bench: Omit<Bench, 'ports'>
}

export function partOf(facts: Omit<Part, 'results'>, measured: readonly Measured[]): Part {
  const results = measured.flatMap(({ measure, outcomes }) => resultsOf(facts.id, measure.figures, outcomes))
  return { ...facts, results }
}

/** Why there is no number that is about processes. */
export const whyNothing = (processes: readonly unknown[] = []): string =>
  processes.length === 0 ? 'no processes' : 'no /proc'

/** What `take` reads of each entrant; what goes wrong there is its outcome. */
export async function ofEach(
  entrants: readonly Entrant[],
  { say }: Pick<Plan, 'say'>,
  part: string,
  take: (entrant: Entrant) => Promise<readonly Reading[]>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const entrant of entrants) {
    const { contender, running } = entrant
    const why = absence(entrant)
    if (why.skipped !== undefined || why.failed !== undefined) {
      outcomes.push({ contender, readings: [], ...why })
      continue
    }
    say(`${part}: ${contender.name}`)
    try {
      const readings = await take(entrant)
      outcomes.push({ contender, readings, ...(readings.length === 0 && { skipped: whyNothing(running?.processes) }) })
    } catch (error) {
      outcomes.push({ contender, readings: [], failed: reason(error, running) })
    }
  }
  return outcomes
}
