/**
 * What one more idle connection costs each process of a contender. A first lot of connections is opened and closed, so
 * that code is compiled and pools have their size; then half of the connections are opened, everything settles, and
 * the other half: the growth from one to the other, divided by their number. Memory of the kernel is not counted.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Child, Memory } from '../child.ts'
import type { Contender } from '../contenders/contender.ts'
import type { Load } from '../load.ts'
import { allProcesses, type Reading } from '../result.ts'
import type { Ports } from '../services.ts'
import { type Aims, always, type Figure } from './measure.ts'

const KiB = 1024

const used = {
  id: 'memory-used',
  label: 'in use, of a connection',
  unit: 'KiB',
  better: 'less',
} as const
const resident = {
  id: 'memory-resident',
  label: 'resident, of a connection',
  unit: 'KiB',
  better: 'less',
} as const
const whole = {
  id: 'memory-whole',
  label: 'resident, whole process',
  unit: 'MiB',
  better: 'less',
} as const

/**
 * `memory-used`: objects and buffers after a garbage collection, only of programs in Node. `memory-resident`: growth of
 * the resident set, pages that lie about in it included.
 */
export const memoryFigures: readonly Figure[] = [used, resident, whole]

/** What is opened, and closed. */
export interface Held {
  /** Opens `count` more; rejects when one that was opened before is lost. */
  readonly hold: (ports: Ports, count: number) => Promise<unknown>
  readonly release: () => Promise<unknown>
  /** What tunnelctl aims at, of what is in use, by role. */
  readonly aims: Readonly<Record<string, Aims>>
}

/** Connections to the echo service. */
export const heldEchoes = (load: Load): Held => ({
  hold: async ({ echo: port }, count) => {
    if (port === undefined) throw new Error('no way to the echo service')
    await load.run('hold', { port, count }, 60_000)
  },
  release: () => load.run('release', {}),
  aims: { gateway: always({ value: 0.3 }), agent: always({ value: 8 }), connect: always({ value: 8 }) },
})

const warmUp = 200

/**
 * Starts a fresh instance of the contender, probed, and stops it.
 * @param connections open in the end
 * @param pauseMs before each of the samples that show whether everything has settled
 */
export async function measureMemory(
  contender: Contender,
  services: Ports,
  { hold, release, aims }: Held,
  connections: number,
  pauseMs: number,
): Promise<Reading[]> {
  const running = await contender.start(services, { probe: true })
  try {
    const half = Math.ceil(connections / 2)
    await hold(running.ports, Math.min(warmUp, half))
    await release()
    await settle(running.processes, pauseMs)
    await hold(running.ports, half)
    const before = await settle(running.processes, pauseMs)
    await hold(running.ports, half)
    const after = await settle(running.processes, pauseMs)
    // Only now is it known that none of them was lost meanwhile.
    await hold(running.ports, 0)
    const readings = running.processes.flatMap(({ role }, index) => {
      const [first, second] = [before[index], after[index]]
      if (first === undefined || second === undefined) throw new Error(`no memory of ${role}`)
      return growth(role, first, second, half, aims[role])
    })
    return readings.length === 0 ? [] : [...readings, ...sums(readings)]
  } finally {
    await release().catch(() => undefined)
    await running.stop()
  }
}

function growth(process: string, first: Memory, second: Memory, connections: number, its: Aims | undefined): Reading[] {
  const reading = (figure: Figure, value: number): Reading => ({ figure, process, values: [value] })
  const heap = (second.heap ?? 0) - (first.heap ?? 0)
  return [
    ...(second.heap === undefined ? [] : [reading({ ...used, ...(its && { aims: its }) }, heap / connections / KiB)]),
    reading(resident, (second.rss - first.rss) / connections / KiB),
    reading(whole, second.rss / KiB / KiB),
  ]
}

/** Of the resident sets: what is in use is not known of all programs. */
function sums(readings: readonly Reading[]): Reading[] {
  return [resident, whole].map(figure => {
    const of = readings.filter(reading => reading.figure === figure).flatMap(({ values: [value = 0] }) => value)
    return { figure, process: allProcesses, values: [of.reduce((sum, each) => sum + each, 0)] }
  })
}

/** The least of three samples, once the traffic is over: what is above it was on its way out. */
async function settle(processes: readonly Child[], pauseMs: number): Promise<Memory[]> {
  const samples: Memory[][] = []
  for (let sample = 0; sample < 3; sample++) {
    await sleep(pauseMs)
    samples.push(await Promise.all(processes.map(child => child.memory())))
  }
  return processes.map((_, index) => {
    const of = samples.flatMap(sample => sample[index] ?? [])
    const heaps = of.flatMap(memory => memory.heap ?? [])
    const rss = Math.min(...of.map(memory => memory.rss))
    return heaps.length === 0 ? { rss } : { rss, heap: Math.min(...heaps) }
  })
}
