/**
 * Measures in rounds: each measures every contender in turn, one measure at a time, so that whatever disturbs the
 * machine disturbs all of them. Who begins rotates from round to round.
 */
import type { Child } from './child.ts'
import { processorSeconds } from './cpu.ts'
import { absence, type Entrant, reason } from './entrant.ts'
import type { Bench, Figure, Measure, Taken } from './measures/measure.ts'
import { whyNothing } from './part.ts'
import { allProcesses, type Outcome, type Reading } from './result.ts'
import { type Services, serviceTool } from './services.ts'

export interface Rounds {
  readonly rounds: number
  /** One more before them, which does not count. */
  readonly warmUp: boolean
  /** Told what goes on. */
  readonly say: (text: string) => void
}

/** What came out for one measure. */
export interface Measured {
  readonly measure: Measure
  /** One for each entrant. */
  readonly outcomes: readonly Outcome[]
  /** The processor time of the same rounds, for a measure that has a cost. */
  readonly costs: readonly Outcome[]
}

/** One measure at one entrant. */
interface Series {
  readonly entrant: Entrant
  /** By figure, then by round. */
  readonly values: (number | undefined)[][]
  /** Seconds for what was done, by role, then by round. */
  readonly costs: Map<string, (number | undefined)[]>
  skipped?: string
  failed?: string
}

/** Not counted: code that a process has run for a second is compiled, and caches are filled, as after a minute of use. */
const warmUp = -1

export async function measureRounds(
  measures: readonly Measure[],
  entrants: readonly Entrant[],
  services: Services,
  bench: Omit<Bench, 'ports'>,
  { rounds, warmUp: warmed, say }: Rounds,
): Promise<Measured[]> {
  const all = measures.map(measure => {
    const missing = whatIsMissing(measure, services, bench)
    return { measure, series: entrants.map(entrant => beginSeries(measure, entrant, missing)) }
  })
  for (let round = warmed ? warmUp : 0; round < rounds; round++) {
    const name = round === warmUp ? 'warm-up' : `round ${round + 1}/${rounds}`
    for (const { measure, series } of all) {
      const turn = series.map((_, index) => series[(index + round + 1) % series.length])
      for (const its of turn) {
        if (!its || its.skipped !== undefined || its.failed !== undefined) continue
        say(`${name}: ${measure.figures[0]?.label}: ${its.entrant.contender.name}`)
        await measureOnce(measure, its, round, round === warmUp ? { ...bench, seconds: 1 } : bench)
      }
    }
  }
  return all.map(({ measure, series }) => ({
    measure,
    outcomes: series.map(its => outcomeOf(its, readingsOf(measure.figures, its.values))),
    costs: measure.cost === undefined ? [] : series.map(its => costOf(measure.cost, its)),
  }))
}

async function measureOnce(measure: Measure, series: Series, round: number, bench: Omit<Bench, 'ports'>) {
  const { contender, running } = series.entrant
  const port = running?.ports[measure.service]
  try {
    if (!running || port === undefined) throw new Error(`${contender.name} leads to no ${measure.service} service`)
    const before = times(running.processes)
    const taken = await measure.run(port, { ...bench, ports: running.ports })
    const after = times(running.processes)
    if (round === warmUp) return
    for (const [index, value] of taken.values.entries()) {
      const rounds = series.values[index]
      if (rounds) rounds[round] = value
    }
    if (measure.cost) addCosts(series, round, taken, before, after)
  } catch (error) {
    series.failed = reason(error, running)
  }
}

/** Processor seconds so far, in the order of the processes. */
function times(processes: readonly Child[]): (number | undefined)[] {
  return processes.map(({ pid }) => (pid === undefined ? undefined : processorSeconds(pid)))
}

function addCosts(
  { entrant, costs }: Series,
  round: number,
  { done = 0 }: Taken,
  before: readonly (number | undefined)[],
  after: readonly (number | undefined)[],
): void {
  const spent = new Map<string, number>()
  for (const [index, { role }] of entrant.running?.processes.entries() ?? []) {
    const [from, to] = [before[index], after[index]]
    if (from === undefined || to === undefined || done <= 0) return
    // Processes of one role are shown as one.
    spent.set(role, (spent.get(role) ?? 0) + (to - from) / done)
  }
  const all = [...spent.values()].reduce((sum, each) => sum + each, 0)
  for (const [role, seconds] of spent.size === 0 ? [] : [...spent, [allProcesses, all] as const]) {
    const rounds = costs.get(role) ?? []
    rounds[round] = seconds
    costs.set(role, rounds)
  }
}

function outcomeOf({ entrant, skipped, failed }: Series, readings: readonly Reading[]): Outcome {
  const { contender } = entrant
  return { contender, readings, ...(skipped !== undefined && { skipped }), ...(failed !== undefined && { failed }) }
}

function readingsOf(figures: readonly Figure[], values: readonly (readonly (number | undefined)[])[]): Reading[] {
  return figures.flatMap((figure, index) => {
    const rounds = values[index] ?? []
    return rounds.length === 0 ? [] : [{ figure, values: rounds }]
  })
}

function costOf(figure: Figure | undefined, series: Series): Outcome {
  const readings = [...series.costs].flatMap(([process, values]) => (figure ? [{ figure, process, values }] : []))
  const outcome = outcomeOf(series, readings)
  const unknown = readings.length === 0 && outcome.skipped === undefined && outcome.failed === undefined
  if (!unknown) return outcome
  return { ...outcome, skipped: whyNothing(series.entrant.running?.processes) }
}

function beginSeries(measure: Measure, entrant: Entrant, missing: string | undefined): Series {
  const absent = absence(entrant)
  const why = absent.skipped ?? (absent.failed === undefined ? missing : undefined)
  return {
    entrant,
    values: measure.figures.map(() => []),
    costs: new Map(),
    ...absent,
    ...(why !== undefined && { skipped: why }),
  }
}

function whatIsMissing(measure: Measure, services: Services, { tools }: Pick<Bench, 'tools'>): string | undefined {
  if (measure.tool !== undefined && !tools[measure.tool]) return measure.tool
  return services.ports[measure.service] === undefined ? (serviceTool[measure.service] ?? measure.service) : undefined
}
