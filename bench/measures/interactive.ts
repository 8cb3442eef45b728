/** Echoes beside bulk over the same contender: does somebody who types notice that somebody copies? */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Aims, always, type Bench, type Figure, type Measure, paceOf } from './measure.ts'

/** Bulk goes on so long before the first echo, so that queues are as full as they get. */
const beforeMs = 3_000
const besideTenBeforeMs = 2_000
/** What is left of bulk that was measured before has arrived by then. */
const restMs = 1_500
/** Between an echo and the next, of somebody who types, and of a program. */
const typingPauseMs = 20
const programPauseMs = 5
/** An echo may be slow, and one at least is waited for. */
const patienceMs = 60_000

/** One byte at a time over the link, which one bulk stream fills. */
export function typing(direction: 'up' | 'down', aims: Aims = {}): Measure {
  const figure = (quantile: string, its: Aims): Figure => ({
    id: `typing-${direction}-${quantile}`,
    label: `1-byte echo beside bulk ${direction}, ${quantile}`,
    unit: 'ms',
    better: 'less',
    aims: its,
  })
  return {
    service: 'pour',
    figures: [figure('p50', {}), figure('p99', aims)],
    run: async (port, bench) => {
      const { p50, p99 } = await besideBulk(
        { port, direction, streams: 1, beforeMs, ms: 8_000, pauseMs: typingPauseMs },
        bench,
      )
      return { values: [p50, p99] }
    },
  }
}

/** Echoes beside ten bulk streams, and how much slower they are than without. */
export function besideTen(direction: 'up' | 'down', where: string): Measure {
  const name = `${where}-${direction}`
  return {
    service: 'pour',
    figures: [
      { id: `idle-p99-${name}`, label: `echo alone, p99 (before ${direction})`, unit: 'ms', better: 'less' },
      { id: `beside-p99-${name}`, label: `echo beside 10 bulk streams ${direction}, p99`, unit: 'ms', better: 'less' },
      {
        id: `slower-${name}`,
        label: `echo beside 10 bulk streams ${direction}, p99 in multiples of alone`,
        unit: '×',
        better: 'less',
        aims: always({ value: 3 }),
      },
    ],
    run: async (port, bench) => {
      await sleep(restMs * paceOf(bench))
      const alone = await echoes({ ms: 2_000, pauseMs: programPauseMs }, bench)
      const bulk = { port, direction, streams: 10, beforeMs: besideTenBeforeMs }
      const beside = await besideBulk({ ...bulk, ms: 3_000, pauseMs: programPauseMs }, bench)
      return { values: [alone.p99, beside.p99, beside.p99 / alone.p99] }
    },
  }
}

interface Echoes {
  readonly ms: number
  readonly pauseMs: number
}

/** Quantiles in milliseconds. */
async function echoes({ ms, pauseMs }: Echoes, bench: Bench): Promise<{ p50: number; p99: number }> {
  const port = bench.ports.echo ?? 0
  const seconds = (ms / 1000) * paceOf(bench)
  const argument = { port, seconds, bytes: 1, pauseMs }
  const { p50, p99 } = await bench.load.run('roundtrip', argument, seconds * 1000 + patienceMs)
  return { p50: p50 / 1000, p99: p99 / 1000 }
}

interface Beside extends Echoes {
  /** To the pour service, as in `direction` and `streams` of the bulk. */
  readonly port: number
  readonly direction: 'up' | 'down'
  readonly streams: number
  readonly beforeMs: number
}

async function besideBulk({ port, direction, streams, beforeMs, ...its }: Beside, bench: Bench) {
  const { other, services } = bench
  try {
    await other.run('pour', { port, service: services.pour ?? 0, direction, streams })
    await sleep(beforeMs * paceOf(bench))
    const result = await echoes(its, bench)
    // Throws when a stream was lost.
    const { bytes } = await other.run('poured', {})
    if (bytes.some(each => each === 0)) throw new Error('a bulk stream stands still')
    return result
  } finally {
    await other.run('stopPour', {})
  }
}
