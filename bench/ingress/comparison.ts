/** The comparison of ways to HTTP services, part by part. */
import type { Check } from '../checks.ts'
import type { Comparison } from '../comparison.ts'
import type { Contender } from '../contenders/contender.ts'
import { type Entrant, enter, leave, reason } from '../entrant.ts'
import { Load } from '../load.ts'
import { always, paceOf } from '../measures/measure.ts'
import { type Held, measureMemory, memoryFigures } from '../measures/memory.ts'
import { ofEach, type Part, partOf } from '../part.ts'
import { resultsOf } from '../result.ts'
import { type Measured, measureRounds } from '../rounds.ts'
import type { Tools } from '../tools.ts'
import { checkWay } from './checks.ts'
import { framesOnly } from './contenders.ts'
import { framesFigure, framesOutcomes } from './frames.ts'
import { httpMeasures, throughput, webSocketMeasures } from './measures.ts'
import { startWebServices, type WebServices } from './services.ts'
import { measureSteady, steadyFigure, steadyLabel } from './steady.ts'
import { hostOf } from './targets.ts'

export interface Plan {
  readonly contenders: readonly Contender[]
  readonly tools: Tools
  readonly rounds: number
  readonly seconds: number
  /** Idle WebSockets for the memory; 0 leaves it out. */
  readonly idle: number
  /** Of the large file, and of an upload. */
  readonly bodyBytes: number
  readonly verify: boolean
  /** Told what goes on. */
  readonly say: (text: string) => void
}

export async function compareIngress(plan: Plan): Promise<Comparison> {
  const [load, other] = [new Load(), new Load()]
  const entrants: Entrant[] = []
  let services: WebServices | undefined
  try {
    plan.say('starting')
    services = await startWebServices(plan.tools, plan.bodyBytes)
    const checks: Check[] = []
    for (const contender of plan.contenders) {
      const entrant = await enter(contender, services)
      entrants.push(entrant)
      checks.push(...(await check(entrant, services, load, plan.verify)))
    }
    const { tools, seconds, rounds, say } = plan
    const bench = { load, other, tools, seconds, services: services.ports }
    // A run that is meant to be short has no second for it.
    const inRounds = { rounds, warmUp: seconds >= 0.5, say }
    const whole = entrants.filter(({ contender }) => !framesOnly.has(contender.name))
    const http = await measureRounds(httpMeasures(plan.bodyBytes), whole, services, bench, inRounds)
    const webSocket = await measureRounds(webSocketMeasures, entrants, services, bench, inRounds)
    const steady = await ofEach(entrants, plan, 'steady', async ({ running }) =>
      running ? measureSteady(running, load, paceOf(bench)) : [],
    )
    await leave(entrants.splice(0))
    const parts: Part[] = [
      partOf({ id: 'ingress-http', label: 'HTTP' }, http),
      partOf({ id: 'ingress-websocket', label: 'WebSocket, messages of 125 bytes' }, webSocket),
      framesPart(webSocket),
      costPart([...http, ...webSocket]),
      { id: 'ingress-steady', label: steadyLabel, results: resultsOf('ingress-steady', [steadyFigure], steady) },
      ...(await measureEachMemory(plan, whole, services, load)),
    ]
    const failed =
      whole.some(entrant => entrant.failed !== undefined) ||
      parts.some(part => part.results.some(result => result.failed !== undefined))
    return { checks, parts: parts.filter(part => part.results.length > 0), failed }
  } finally {
    await leave(entrants)
    await Promise.all([load.stop(), other.stop()])
    await services?.stop()
  }
}

/** One that does not carry right takes no further part. */
async function check(entrant: Entrant, services: WebServices, load: Load, verify: boolean): Promise<Check[]> {
  if (!entrant.running) return []
  try {
    return await checkWay(entrant.contender.name, entrant.running.ports, services, load, verify)
  } catch (error) {
    entrant.failed = `check: ${reason(error, entrant.running)}`
    return []
  }
}

function framesPart(measured: readonly Measured[]): Part {
  const outcomes = measured.find(({ measure }) => measure === throughput)?.outcomes ?? []
  const results = resultsOf('ingress-frames', [framesFigure], framesOutcomes(outcomes))
  return { id: 'ingress-frames', label: 'looking at frames', results }
}

function costPart(measured: readonly Measured[]): Part {
  const results = measured.flatMap(({ measure: { cost }, costs }) =>
    cost ? resultsOf('ingress-cpu', [cost], costs) : [],
  )
  return { id: 'ingress-cpu', label: 'processor time, user and system, of 1,000 requests and 1,000 messages', results }
}

async function measureEachMemory(
  { idle, seconds, say }: Plan,
  entrants: readonly Entrant[],
  { ports }: WebServices,
  load: Load,
): Promise<Part[]> {
  if (idle === 0) return []
  const held: Held = {
    hold: async ({ websocket: port }, count) => {
      if (port === undefined) throw new Error('no way to the WebSocket service')
      await load.run('holdWebSockets', { port, host: hostOf('websocket'), count }, 60_000)
    },
    release: () => load.run('releaseWebSockets', {}),
    aims: { gateway: always({ value: 20 }) },
  }
  const fresh = entrants.map(({ running: _, ...entrant }) => entrant)
  const outcomes = await ofEach(fresh, { say }, 'memory', ({ contender }) =>
    measureMemory(contender, ports, held, idle, seconds * 200),
  )
  const label = `memory with ${idle} idle WebSockets`
  return [{ id: 'ingress-memory', label, results: resultsOf('ingress-memory', memoryFigures, outcomes) }]
}
