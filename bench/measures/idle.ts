/** What connections cost that are open and say nothing: heartbeats, timers, and whatever else does not rest. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from '../contenders/contender.ts'
import { sharesFrom } from '../cpu.ts'
import type { Load } from '../load.ts'
import { allProcesses, type Reading } from '../result.ts'
import { always, type Figure } from './measure.ts'

export const idleFigure: Figure = {
  id: 'idle-cpu',
  label: 'processor time with idle connections',
  unit: '% of a core',
  better: 'less',
  aims: always({ value: 0.5 }),
}

/** What the opening of the connections has left to do is over by then. */
const settleMs = 2_000

/**
 * Does not stop the contender.
 * @param pace what the times are taken by; the processor time is measured over 10 s times that
 */
export async function measureIdle(
  { ports, processes }: Running,
  load: Pick<Load, 'run'>,
  connections: number,
  pace: number,
): Promise<Reading[]> {
  const { echo: port } = ports
  if (port === undefined) throw new Error('no way to the echo service')
  try {
    await load.run('hold', { port, count: connections }, 60_000)
    await sleep(settleMs * pace)
    const spent = sharesFrom(processes)
    await sleep(10_000 * pace)
    const shares = spent()
    // Only now is it known that none of them was lost meanwhile.
    await load.run('hold', { port, count: 0 })
    const sum = shares.reduce((total, { percent }) => total + percent, 0)
    const { aims: _, ...ofAll } = idleFigure
    return [
      ...shares.map(({ role, percent }) => ({ figure: idleFigure, process: role, values: [percent] })),
      ...(shares.length === 0 ? [] : [{ figure: ofAll, process: allProcesses, values: [sum] }]),
    ]
  } finally {
    await load.run('release', {}).catch(() => undefined)
  }
}
