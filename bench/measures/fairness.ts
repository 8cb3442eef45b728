/** Whether many bulk streams get the same, while one of them has a reader that does not read. */
import { setTimeout as sleep } from 'node:timers/promises'
import { jain } from '../statistics.ts'
import { always, type Measure, paceOf } from './measure.ts'

const streams = 99
/** Not counted: connections are opened one after the other. */
const beforeMs = 1_000
const wholeMs = 3_000

export function fairness(direction: 'up' | 'down'): Measure {
  return {
    service: 'pour',
    figures: [
      {
        id: `fairness-${direction}`,
        label: `fairness among ${streams} bulk streams ${direction} beside one that stalls (Jain)`,
        unit: 'index',
        better: 'more',
        aims: always({ value: 0.95 }),
      },
    ],
    run: async (port, bench) => {
      const { load, services } = bench
      const pace = paceOf(bench)
      try {
        await load.run('pour', { port, service: services.pour ?? 0, direction, streams, stalled: 1 })
        await sleep(beforeMs * pace)
        const first = await load.run('poured', {})
        await sleep(wholeMs * pace)
        const last = await load.run('poured', {})
        return { values: [jain(last.bytes.map((bytes, index) => bytes - (first.bytes[index] ?? 0)))] }
      } finally {
        await load.run('stopPour', {})
      }
    },
  }
}
