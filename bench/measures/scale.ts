/** Many clients of one gateway of tunnelctl, all of whom send a little all the time. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../child.ts'
import { type Share, sharesFrom } from '../cpu.ts'
import type { Spell, Swarm, Swarmed } from '../processes/swarm.ts'
import type { Reading } from '../result.ts'
import { startFleet } from './fleet.ts'
import { type Aims, always, type Figure } from './measure.ts'

const streams = 5
/** Of each client, in one spell after the other; the aims are about the last. */
const rates = [5, 10] as const
/** An agent takes 512 sessions; the gateway 64 carriers of one person, who has so many for each of four agents. */
const sessionsOfAgent = 500
const sessionsOfPerson = 16
const sampleMs = 500

const less = { better: 'less' } as const

/** What comes of one spell. */
function figuresAt(rate: number): Readonly<Record<'rate' | 'p50' | 'p99' | 'left' | 'cpu', Figure>> {
  const at = `${rate} messages/s of each client`
  const aims: Aims = rate === rates[1] ? always({ value: 50 }) : {}
  return {
    rate: { id: `scale-rate-${rate}`, label: `${at}: echoes`, unit: '1/s', better: 'more' },
    p50: { id: `scale-p50-${rate}`, label: `${at}: echo since it was due, p50`, unit: 'ms', ...less },
    p99: { id: `scale-p99-${rate}`, label: `${at}: echo since it was due, p99`, unit: 'ms', ...less, aims },
    left: { id: `scale-left-${rate}`, label: `${at}: not sent, the one before was not back`, unit: '%', ...less },
    cpu: { id: `scale-cpu-${rate}`, label: at, unit: '% of a core', ...less },
  }
}

const lost: Figure = {
  id: 'scale-lost',
  label: 'carriers, sessions and streams lost',
  unit: 'in all',
  ...less,
  aims: always({ value: 0 }),
}
const before: Figure = { id: 'scale-rss-before', label: 'gateway, resident, no clients', unit: 'MiB', ...less }
const peak: Figure = { id: 'scale-rss-peak', label: 'gateway, resident, most', unit: 'MiB', ...less }

export const scaleFigures: readonly Figure[] = [
  ...rates.flatMap(rate => {
    const { rate: reached, p50, p99, left } = figuresAt(rate)
    return [reached, p50, p99, left]
  }),
  lost,
  before,
  peak,
]

/** For the heading. */
export const scaleLabel = (clients: number): string => `${clients} clients × ${streams} streams on one gateway`

export interface Scaled {
  readonly readings: readonly Reading[]
  /** Processor time of each process, the load and the echo service included: they share the machine. */
  readonly costs: readonly Reading[]
}

/** @param seconds of each spell that count */
export async function measureScale(program: string, clients: number, seconds: number): Promise<Scaled> {
  const agents = Math.ceil(clients / sessionsOfAgent)
  const subjects = Math.ceil(clients / agents / sessionsOfPerson)
  const echo = Child.own('echo', 'processes/echo.ts')
  const started = [echo]
  try {
    const { port } = await echo.message<{ port: number }>()
    const fleet = await startFleet({ program, agents, subjects, service: `echo/bench:7=127.0.0.1:${port}` })
    started.push(fleet.gateway, ...fleet.agents)
    const atFirst = (await fleet.gateway.memory()).rss
    const target = { service: 'echo', namespace: 'bench', port: 7, protocol: 'tcp' }
    const { url: gateway, tokens, names } = fleet
    const swarm: Swarm = { gateway, tokens, agents: names, target, clients, streams }
    const load = Child.own('load', 'processes/swarm.ts', [JSON.stringify(swarm)])
    started.push(load)
    const opened = await load.message<{ error?: string }>(120_000)
    if (opened.error !== undefined) throw new Error(opened.error)
    const processes = [fleet.gateway, ...fleet.agents, echo, load]
    const all: Scaled[] = []
    let most = atFirst
    let end: Swarmed | undefined
    for (const rate of rates) {
      const spent = sharesFrom(processes)
      const running = load.request<Swarmed>(
        { seconds, messagesPerSecond: rate } satisfies Spell,
        seconds * 2_000 + 30_000,
      )
      most = Math.max(most, await mostUntil(running, fleet.gateway))
      end = await running
      all.push(scaledAt(rate, end, clients * rate * seconds, spent()))
    }
    const readings = [
      ...all.flatMap(spell => spell.readings),
      reading(lost, end?.lost ?? 0, end?.why),
      reading(before, atFirst / 2 ** 20),
      reading(peak, most / 2 ** 20),
    ]
    return { readings, costs: all.flatMap(({ costs }) => costs) }
  } finally {
    await Promise.all(started.map(child => child.stop()))
  }
}

function scaledAt(rate: number, { perSecond, p50, p99, left }: Swarmed, due: number, shares: readonly Share[]): Scaled {
  const figures = figuresAt(rate)
  return {
    readings: [
      reading(figures.rate, perSecond),
      reading(figures.p50, p50),
      reading(figures.p99, p99),
      reading(figures.left, (left / due) * 100),
    ],
    costs: shares.map(({ role, percent }) => ({ figure: figures.cpu, process: role, values: [percent] })),
  }
}

function reading(figure: Figure, value: number, note?: string): Reading {
  return { figure, values: [value], ...(note !== undefined && { note }) }
}

/** The most that `child` has resident, looked at now and then, until `end` settles. */
async function mostUntil(end: Promise<unknown>, child: Child): Promise<number> {
  let most = 0
  const over = end.then(
    () => true,
    () => true,
  )
  do most = Math.max(most, (await child.memory()).rss)
  while (!(await Promise.race([over, sleep(sampleMs, false)])))
  return most
}
