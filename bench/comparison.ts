/**
 * The comparison, part by part. On loopback all contenders run at once and are measured in turn; over a link, and for
 * the memory, each is started for itself.
 */
import type { Check } from './checks.ts'
import type { Contender } from './contenders/contender.ts'
import { tunnelctlProgram } from './contenders/tunnelctl.ts'
import { absence, check, type Entrant, enter, leave, reason } from './entrant.ts'
import type { Profile } from './link/profile.ts'
import { Load } from './load.ts'
import { idleFigure, measureIdle } from './measures/idle.ts'
import { type Bench, type Measure, paceOf } from './measures/measure.ts'
import { fairnessMeasures, linkMeasures } from './measures/measures.ts'
import { measureMemory, memoryFigures } from './measures/memory.ts'
import { measureResume, resumeFigure } from './measures/resume.ts'
import { measureStart, startFigures } from './measures/start.ts'
import { isOurs, type Outcome, type Reading, type Result, resultsOf } from './result.ts'
import { type Measured, measureRounds } from './rounds.ts'
import { type Services, startServices } from './services.ts'
import type { Tools } from './tools.ts'

/** In the order of the report. */
export const partNames = ['standard', 'resume', 'memory', 'start', 'fairness', 'idle', 'wan'] as const

export type PartName = (typeof partNames)[number]

/** What takes no more than a few minutes. */
export const usualParts: readonly PartName[] = ['standard', 'resume', 'memory', 'start']

export interface Plan {
  readonly contenders: readonly Contender[]
  readonly parts: ReadonlySet<PartName>
  /** Those of the standard part. */
  readonly measures: readonly Measure[]
  readonly tools: Tools
  readonly rounds: number
  /** Of what takes long: fairness and links. */
  readonly longRounds: number
  readonly seconds: number
  /** Idle connections for the memory; half as many for the processor time; 0 leaves both out. */
  readonly idle: number
  /** Restarts of the gateway for the resume gap; 0 leaves it out. */
  readonly restarts: number
  /** Bytes of the verified transfer; 0 leaves it out. */
  readonly verifyBytes: number
  /** Told what goes on. */
  readonly say: (text: string) => void
}

/** What belongs together in the report. */
export interface Part {
  /** Stable, for the JSON; what its results name. */
  readonly id: string
  readonly label: string
  readonly link?: Profile
  readonly results: readonly Result[]
}

export interface Comparison {
  readonly checks: readonly Check[]
  readonly parts: readonly Part[]
  /** True when a contender that should run did not, or a measure or a check failed. */
  readonly failed: boolean
}

/** What the parts share. */
interface Stage {
  readonly plan: Plan
  readonly services: Services
  readonly bench: Omit<Bench, 'ports'>
}

export async function compare(plan: Plan): Promise<Comparison> {
  const [load, other] = [new Load(), new Load()]
  let services: Services | undefined
  try {
    plan.say('starting')
    const { tools, seconds, parts: wanted, verifyBytes } = plan
    services = await startServices(tools, verifyBytes, wanted.has('fairness') || wanted.has('wan'))
    const stage: Stage = { plan, services, bench: { load, other, tools, seconds, services: services.ports } }
    const loopback = await compareOnLoopback(stage)
    const parts = [...loopback.parts, ...(await measureEachMemory(stage)), ...(await compareOverLinks(stage))]
    const order = (part: Part) => partNames.findIndex(name => part.id.startsWith(name))
    parts.sort((a, b) => order(a) - order(b))
    const failed = loopback.failed || parts.some(part => part.results.some(result => result.failed !== undefined))
    return { checks: loopback.checks, parts, failed }
  } finally {
    await Promise.all([load.stop(), other.stop()])
    await services?.stop()
  }
}

async function compareOnLoopback(stage: Stage): Promise<Comparison> {
  const { plan, services, bench } = stage
  const { say } = plan
  const entrants: Entrant[] = []
  const checks: Check[] = []
  const parts: Part[] = []
  if (!(['standard', 'resume', 'start', 'fairness', 'idle'] as const).some(name => plan.parts.has(name)))
    return { checks, parts, failed: false }
  try {
    for (const contender of plan.contenders) {
      const entrant = await enter(contender, services)
      entrants.push(entrant)
      checks.push(...(await check(entrant, services, bench.load, plan.verifyBytes)))
    }
    if (plan.parts.has('standard')) {
      const rounds = { rounds: plan.rounds, warmUp: true, say }
      parts.push(...standardParts(await measureRounds(plan.measures, entrants, services, bench, rounds)))
    }
    if (plan.parts.has('fairness')) {
      const rounds = { rounds: plan.longRounds, warmUp: false, say }
      const measured = await measureRounds(fairnessMeasures, entrants, services, bench, rounds)
      parts.push(partOf('fairness', 'fairness, loopback', measured))
    }
    if (plan.parts.has('idle') && plan.idle > 0) {
      const connections = Math.ceil(plan.idle / 2)
      const label = `processor time with ${connections} idle connections`
      const outcomes = await ofEach(entrants, plan, 'idle', async ({ running }) =>
        running ? measureIdle(running, bench.load, connections, paceOf(bench)) : [],
      )
      parts.push({ id: 'idle', label, results: resultsOf('idle', [idleFigure], outcomes) })
    }
    if (plan.parts.has('start')) parts.push(await measureStarts(entrants, plan))
    if (plan.parts.has('resume') && plan.restarts > 0) parts.push(await measureResumes(entrants, stage))
    return { checks, parts, failed: entrants.some(({ failed }) => failed !== undefined) }
  } finally {
    await leave(entrants)
  }
}

/** The measures, and what they cost. */
function standardParts(measured: readonly Measured[]): Part[] {
  const costs = measured.flatMap(({ measure: { cost }, costs }) =>
    cost ? resultsOf('standard-cpu', [cost], costs) : [],
  )
  return [
    partOf('standard', 'throughput and latency, loopback', measured),
    {
      id: 'standard-cpu',
      label: 'processor time, user and system, seconds per GB and per 1,000 requests',
      results: costs,
    },
  ]
}

function partOf(id: string, label: string, measured: readonly Measured[], link?: Profile): Part {
  const results = measured.flatMap(({ measure, outcomes }) => resultsOf(id, measure.figures, outcomes))
  return { id, label, ...(link && { link }), results }
}

async function measureStarts(entrants: readonly Entrant[], plan: Plan): Promise<Part> {
  const ours = entrants.filter(({ contender }) => isOurs(contender.name))
  const times = plan.seconds < 1 ? 1 : 15
  const outcomes = await ofEach(ours, plan, 'start', async ({ running }) =>
    running ? measureStart(tunnelctlProgram() ?? '', running, times) : [],
  )
  return { id: 'start', label: 'start', results: resultsOf('start', startFigures, outcomes) }
}

async function measureResumes(entrants: readonly Entrant[], { plan, bench }: Stage): Promise<Part> {
  const able = entrants.map(entrant =>
    entrant.running && !entrant.running.restart ? { ...entrant, skipped: 'unable' } : entrant,
  )
  const outcomes = await ofEach(able, plan, 'resume', async ({ running }) =>
    running?.restart ? measureResume(running, running.restart, bench.load, plan.restarts) : [],
  )
  return { id: 'resume', label: 'resume', results: resultsOf('resume', [resumeFigure], outcomes) }
}

async function measureEachMemory({ plan, services, bench }: Stage): Promise<Part[]> {
  if (!plan.parts.has('memory') || plan.idle === 0) return []
  const entrants = plan.contenders.map(({ missing, ...contender }): Entrant => {
    return { contender, ...(missing !== undefined && { skipped: missing }) }
  })
  const outcomes = await ofEach(entrants, plan, 'memory', ({ contender }) =>
    measureMemory(contender, services.ports, bench.load, plan.idle, plan.seconds * 200),
  )
  const label = `memory with ${plan.idle} idle connections`
  return [{ id: 'memory', label, results: resultsOf('memory', memoryFigures, outcomes) }]
}

async function compareOverLinks({ plan, services, bench }: Stage): Promise<Part[]> {
  if (!plan.parts.has('wan')) return []
  const parts: Part[] = []
  const rounds = { rounds: plan.longRounds, warmUp: false }
  for (const { profile, measures } of linkMeasures) {
    const { name } = profile
    const measured: Measured[] = measures.map(measure => ({ measure, outcomes: [], costs: [] }))
    for (const contender of plan.contenders) {
      const say = (text: string) => plan.say(`${name}: ${text}`)
      const entrant = await enter(contender, services, profile)
      try {
        const its = await measureRounds(measures, [entrant], services, bench, { ...rounds, say })
        for (const [index, { measure, outcomes }] of measured.entries()) {
          measured[index] = { measure, outcomes: [...outcomes, ...(its[index]?.outcomes ?? [])], costs: [] }
        }
      } finally {
        await leave([entrant])
      }
    }
    parts.push(partOf(`wan ${name}`, `over a link of ${name}`, measured, profile))
  }
  return parts
}

/** What `take` reads of each entrant; what goes wrong there is its outcome. */
async function ofEach(
  entrants: readonly Entrant[],
  { say }: Plan,
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
      outcomes.push({ contender, readings: await take(entrant) })
    } catch (error) {
      outcomes.push({ contender, readings: [], failed: reason(error, running) })
    }
  }
  return outcomes
}
