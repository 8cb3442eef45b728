/**
 * The comparison: every contender is started once, then each round measures them in turn, one measure at a time, so
 * that whatever disturbs the machine disturbs all of them. Who begins rotates from round to round.
 */
import { type Check, checkPath } from './checks.ts'
import type { Contender, Running } from './contenders/contender.ts'
import { yardstick } from './contenders/contenders.ts'
import { Load } from './load.ts'
import type { Bench, Figure, Measure } from './measures/measure.ts'
import { type MemoryResult, measureMemory } from './measures/memory.ts'
import { measureResume, type ResumeResult } from './measures/resume.ts'
import { type Services, serviceTool, startServices } from './services.ts'
import { ratio, type Summary, summarize } from './statistics.ts'
import type { Tools } from './tools.ts'

export interface Plan {
  readonly contenders: readonly Contender[]
  readonly measures: readonly Measure[]
  readonly tools: Tools
  readonly rounds: number
  readonly seconds: number
  /** Idle connections for the memory; 0 leaves it out. */
  readonly idle: number
  /** Restarts of the gateway for the resume gap; 0 leaves it out. */
  readonly restarts: number
  /** Bytes of the verified transfer; 0 leaves it out. */
  readonly verifyBytes: number
  /** Told what goes on. */
  readonly say: (text: string) => void
}

/** One figure of one contender. Without `summary`, `skipped` (a missing thing, in one word) or `failed` says why. */
export interface Result {
  readonly figure: Figure
  readonly contender: string
  readonly values: readonly number[]
  readonly summary?: Summary
  /** To the yardstick. */
  readonly ratio?: number
  readonly skipped?: string
  readonly failed?: string
}

export interface Absence {
  readonly contender: string
  readonly skipped?: string
  readonly failed?: string
}

export interface Comparison {
  readonly checks: readonly Check[]
  readonly results: readonly Result[]
  readonly resume: readonly (ResumeResult | Absence)[]
  readonly memory: readonly (MemoryResult | Absence)[]
  /** True when a contender that should run did not, or a measure or a check failed. */
  readonly failed: boolean
}

/** A contender while it is compared. */
interface Entrant {
  readonly contender: Contender
  running?: Running
  skipped?: string
  failed?: string
}

/** The values of one measure at one contender: by figure, then by round. */
interface Series {
  readonly values: (number | undefined)[][]
  skipped?: string
  failed?: string
}

export async function compare(plan: Plan): Promise<Comparison> {
  const load = new Load()
  const entrants: Entrant[] = []
  let services: Services | undefined
  try {
    plan.say('starting')
    services = await startServices(plan.tools, plan.verifyBytes)
    const checks: Check[] = []
    for (const contender of plan.contenders) {
      const entrant: Entrant = { contender }
      entrants.push(entrant)
      await enter(entrant, services)
      checks.push(...(await check(entrant, services, load, plan)))
    }
    const series = await measureAll(entrants, services, load, plan)
    const resume = plan.restarts === 0 ? [] : await measureEachResume(entrants, load, plan)
    await leave(entrants)
    const memory = plan.idle === 0 ? [] : await measureEachMemory(entrants, services, load, plan)
    const results = summarizeAll(plan, entrants, series)
    const failed =
      entrants.some(entrant => entrant.failed !== undefined) ||
      [...results, ...resume, ...memory].some(result => 'failed' in result && result.failed !== undefined)
    return { checks, results, resume, memory, failed }
  } finally {
    await leave(entrants)
    await load.stop()
    await services?.stop()
  }
}

async function enter(entrant: Entrant, services: Services): Promise<void> {
  const { contender } = entrant
  if (contender.missing !== undefined) {
    entrant.skipped = contender.missing
    return
  }
  try {
    entrant.running = await contender.start(services.ports, {})
  } catch (error) {
    entrant.failed = reason(error)
  }
}

async function check(entrant: Entrant, services: Services, load: Load, plan: Plan): Promise<readonly Check[]> {
  if (!entrant.running) return []
  try {
    return await checkPath(entrant.contender.name, entrant.running.ports, services, load, plan.verifyBytes)
  } catch (error) {
    entrant.failed = `check: ${reason(error, entrant.running)}`
    return []
  }
}

async function leave(entrants: readonly Entrant[]): Promise<void> {
  await Promise.all(entrants.map(entrant => entrant.running?.stop()))
}

/** Not counted: code that a process has run for a second is compiled, and caches are filled, as after a minute of use. */
const warmUp = -1

async function measureAll(
  entrants: readonly Entrant[],
  services: Services,
  load: Load,
  plan: Plan,
): Promise<Map<Measure, Map<Entrant, Series>>> {
  const bench: Bench = { load, tools: plan.tools, seconds: plan.seconds }
  const series = new Map(
    plan.measures.map(measure => {
      const missing = whatIsMissing(measure, services, plan.tools)
      return [measure, new Map(entrants.map(entrant => [entrant, beginSeries(measure, entrant, missing)]))]
    }),
  )
  for (let round = warmUp; round < plan.rounds; round++) {
    const turn = entrants.map((_, index) => entrants[(index + round + 1) % entrants.length]).filter(defined)
    const name = round === warmUp ? 'warm-up' : `round ${round + 1}/${plan.rounds}`
    for (const [measure, byEntrant] of series) {
      for (const entrant of turn) {
        const its = byEntrant.get(entrant)
        if (!its || its.skipped !== undefined || its.failed !== undefined) continue
        plan.say(`${name}: ${measure.figures[0]?.label}: ${entrant.contender.name}`)
        await measureOnce(measure, entrant, its, round, round === warmUp ? { ...bench, seconds: 1 } : bench)
      }
    }
  }
  return series
}

async function measureOnce(measure: Measure, entrant: Entrant, series: Series, round: number, bench: Bench) {
  const port = entrant.running?.ports[measure.service]
  try {
    if (port === undefined) throw new Error(`no way to the ${measure.service} service`)
    const values = await measure.run(port, bench)
    for (const [index, value] of values.entries()) {
      const rounds = series.values[index]
      if (rounds && round !== warmUp) rounds[round] = value
    }
  } catch (error) {
    series.failed = reason(error, entrant.running)
  }
}

function beginSeries(measure: Measure, { skipped, failed }: Entrant, missing: string | undefined): Series {
  const why = skipped ?? (failed === undefined ? missing : undefined)
  return {
    values: measure.figures.map(() => []),
    ...(why === undefined ? {} : { skipped: why }),
    ...(failed === undefined ? {} : { failed }),
  }
}

function whatIsMissing(measure: Measure, services: Services, tools: Tools): string | undefined {
  if (measure.tool !== undefined && !tools[measure.tool]) return measure.tool
  return services.ports[measure.service] === undefined ? (serviceTool[measure.service] ?? measure.service) : undefined
}

async function measureEachResume(
  entrants: readonly Entrant[],
  load: Load,
  plan: Plan,
): Promise<(ResumeResult | Absence)[]> {
  const results: (ResumeResult | Absence)[] = []
  for (const { contender, running, skipped, failed } of entrants) {
    const { name } = contender
    if (skipped !== undefined) results.push({ contender: name, skipped })
    else if (!running || failed !== undefined) results.push({ contender: name, failed: failed ?? 'not running' })
    else if (!running.restart) results.push({ contender: name, skipped: 'unable' })
    else {
      plan.say(`resume: ${name}`)
      try {
        results.push(await measureResume(name, running, running.restart, load, plan.restarts))
      } catch (error) {
        results.push({ contender: name, failed: reason(error, running) })
      }
    }
  }
  return results
}

async function measureEachMemory(
  entrants: readonly Entrant[],
  services: Services,
  load: Load,
  plan: Plan,
): Promise<(MemoryResult | Absence)[]> {
  const results: (MemoryResult | Absence)[] = []
  for (const { contender, skipped, failed } of entrants) {
    const { name } = contender
    if (skipped !== undefined) results.push({ contender: name, skipped })
    else if (failed !== undefined) results.push({ contender: name, failed })
    else {
      plan.say(`memory: ${name}`)
      try {
        results.push(...(await measureMemory(contender, services.ports, load, plan.idle, plan.seconds * 200)))
      } catch (error) {
        results.push({ contender: name, failed: reason(error) })
      }
    }
  }
  return results
}

function summarizeAll(
  plan: Plan,
  entrants: readonly Entrant[],
  series: ReadonlyMap<Measure, ReadonlyMap<Entrant, Series>>,
): Result[] {
  const standard = entrants.find(entrant => entrant.contender.name === yardstick)
  return plan.measures.flatMap(measure =>
    measure.figures.flatMap((figure, index) =>
      entrants.map(entrant => {
        const its = series.get(measure)?.get(entrant)
        const rounds = its?.values[index] ?? []
        const values = rounds.filter(defined)
        const compared = standard && ratio(rounds, series.get(measure)?.get(standard)?.values[index] ?? [])
        return {
          figure,
          contender: entrant.contender.name,
          values,
          ...(values.length === 0 ? {} : { summary: summarize(values) }),
          ...(compared === undefined ? {} : { ratio: compared }),
          ...(its?.skipped === undefined ? {} : { skipped: its.skipped }),
          ...(its?.failed === undefined ? {} : { failed: its.failed }),
        }
      }),
    ),
  )
}

/** What went wrong, and which process on the way has ended, if any has. */
function reason(error: unknown, running?: Running): string {
  const message = error instanceof Error ? error.message : String(error)
  const ended = running?.processes.find(child => child.end !== undefined)
  return ended ? `${message} (${ended.role} ${ended.end})` : message
}

const defined = <T>(value: T | undefined): value is T => value !== undefined
