/** What WebSockets cost over which a little goes all the time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from '../contenders/contender.ts'
import { sharesFrom } from '../cpu.ts'
import type { Load } from '../load.ts'
import type { Figure } from '../measures/measure.ts'
import { allProcesses, type Reading } from '../result.ts'
import { hostOf } from './targets.ts'

const connections = 100
const perSecond = 10

export const steadyLabel = `processor time of ${connections} WebSockets with ${perSecond} messages/s each`

export const steadyFigure: Figure = { id: 'steady-cpu', label: steadyLabel, unit: '% of a core', better: 'less' }

/**
 * Does not stop the contender.
 * @param pace what the times are taken by; the processor time is measured over 4 s times that
 */
export async function measureSteady({ ports, processes }: Running, load: Load, pace: number): Promise<Reading[]> {
  const { websocket: port } = ports
  if (port === undefined) throw new Error('no way to the WebSocket service')
  try {
    await load.run('holdWebSockets', { port, host: hostOf('websocket'), count: connections }, 60_000)
    await load.run('steadyWebSockets', { perSecond, seconds: pace }, 60_000)
    await sleep(500 * pace)
    const spent = sharesFrom(processes)
    await load.run('steadyWebSockets', { perSecond, seconds: 4 * pace }, 60_000)
    const shares = spent()
    const sum = shares.reduce((total, { percent }) => total + percent, 0)
    return [
      ...shares.map(({ role, percent }) => ({ figure: steadyFigure, process: role, values: [percent] })),
      ...(shares.length === 0 ? [] : [{ figure: steadyFigure, process: allProcesses, values: [sum] }]),
    ]
  } finally {
    await load.run('releaseWebSockets', {}).catch(() => undefined)
  }
}
