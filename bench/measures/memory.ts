/**
 * What one more idle connection costs each process of a contender. A first lot of connections is opened and closed, so
 * that code is compiled and pools have their size; then half of the connections are opened, everything settles, and
 * the other half: the growth from one to the other, divided by their number. Memory of the kernel is not counted.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Child, Memory } from '../child.ts'
import type { Contender } from '../contenders/contender.ts'
import type { Load } from '../load.ts'
import type { Ports } from '../services.ts'

export interface MemoryResult {
  readonly contender: string
  readonly role: string
  /** Bytes for one connection: growth of the resident set, pages that lie about in it included. */
  readonly rss: number
  /** Bytes for one connection: JavaScript objects and buffers that are in use. Absent for programs not in Node. */
  readonly heap?: number
  /** Bytes of the whole process with all connections open. */
  readonly total: number
}

/** What tunnelctl aims at, in bytes for one connection, by role. */
export const memoryAims: Readonly<Record<string, number>> = { gateway: 512, agent: 12 * 1024, connect: 12 * 1024 }

const warmUp = 200

/**
 * Starts a fresh instance of the contender, probed, and stops it.
 * @param connections open in the end
 * @param pauseMs before each of the samples that show whether everything has settled
 */
export async function measureMemory(
  contender: Contender,
  services: Ports,
  load: Load,
  connections: number,
  pauseMs: number,
): Promise<MemoryResult[]> {
  const running = await contender.start(services, { probe: true })
  try {
    const port = running.ports.echo
    if (port === undefined) throw new Error('no way to the echo service')
    const half = Math.ceil(connections / 2)
    await load.run('hold', { port, count: Math.min(warmUp, half) }, 60_000)
    await load.run('release', {})
    await settle(running.processes, pauseMs)
    await load.run('hold', { port, count: half }, 60_000)
    const before = await settle(running.processes, pauseMs)
    await load.run('hold', { port, count: half }, 60_000)
    const after = await settle(running.processes, pauseMs)
    // Only now is it known that none of them was lost meanwhile.
    await load.run('hold', { port, count: 0 })
    return running.processes.map(({ role }, index) => {
      const [first, second] = [before[index], after[index]]
      if (first === undefined || second === undefined) throw new Error(`no memory of ${role}`)
      return {
        contender: contender.name,
        role,
        rss: (second.rss - first.rss) / half,
        ...(first.heap === undefined || second.heap === undefined ? {} : { heap: (second.heap - first.heap) / half }),
        total: second.rss,
      }
    })
  } finally {
    await load.run('release', {}).catch(() => undefined)
    await running.stop()
  }
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
