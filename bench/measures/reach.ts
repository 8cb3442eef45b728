/** How much of a link one stream gets, and how soon. */
import type { Profile } from '../link/profile.ts'
import type { Poured } from '../processes/pouring.ts'
import { always, type Bench, type Measure, paceOf } from './measure.ts'

/** The course is looked at this often. */
const everyMs = 20
/** What counts as full, and over how long. */
const fullShare = 0.9
const windowMs = 500
/** From here on the stream should have found out what the link is like. */
const settledMs = 2_000
const wholeMs = 5_000

/** One stream over the link, from its first byte on: the share of the link later on, and when it is full first. */
export function reach({ bitsPerSecond }: Profile, direction: 'up' | 'down'): Measure {
  return {
    service: 'pour',
    figures: [
      {
        id: `link-share-${direction}`,
        label: `share of the link, ${direction}, from the 3rd second on`,
        unit: '%',
        better: 'more',
        aims: always({ value: 90 }),
      },
      {
        id: `link-full-${direction}`,
        label: `until ${fullShare * 100} % of the link over ${windowMs} ms, ${direction} (${wholeMs / 1000}: never)`,
        unit: 's',
        better: 'less',
        aims: always({ value: 3 }),
      },
    ],
    run: async (port, bench) => {
      const course = await courseOf(port, direction, bench)
      const pace = paceOf(bench)
      const bitsPerMs = bitsPerSecond / 1000
      const full = fullAfterMs(course, fullShare * bitsPerMs, windowMs * pace) ?? wholeMs
      return { values: [(ratePerMs(course, settledMs * pace) / bitsPerMs) * 100, full / 1000] }
    },
  }
}

/**
 * What arrives of one stream over the link once it has settled.
 * @param forMs from the first byte on; longer where the link stalls, so that it does
 */
export function goodput(direction: 'up' | 'down', forMs = wholeMs): Measure {
  return {
    service: 'pour',
    figures: [
      {
        id: `link-goodput-${direction}`,
        label: `one stream ${direction}, from the 3rd second on`,
        unit: 'Mbit/s',
        better: 'more',
      },
    ],
    run: async (port, bench) => {
      const course = await courseOf(port, direction, bench, forMs)
      return { values: [ratePerMs(course, settledMs * paceOf(bench)) / 1000] }
    },
  }
}

async function courseOf(port: number, direction: 'up' | 'down', bench: Bench, forMs = wholeMs): Promise<Poured[]> {
  const { load, services } = bench
  const untilMs = forMs * paceOf(bench)
  try {
    await load.run('pour', { port, service: services.pour ?? 0, direction, streams: 1 })
    return await load.run('course', { untilMs, everyMs }, untilMs + 10_000)
  } finally {
    await load.run('stopPour', {})
  }
}

/** Bits per millisecond from the last moment at or before `fromMs` to the end, so that a machine that was asleep has a course, too. */
export function ratePerMs(course: readonly Poured[], fromMs: number): number {
  const first = course.findLast(({ ms }) => ms <= fromMs) ?? course[0]
  const last = course.at(-1)
  if (first === undefined || last === undefined || first === last) throw new Error('the course is too short')
  return ((sum(last) - sum(first)) * 8) / (last.ms - first.ms)
}

/** When at least `bitsPerMs` have arrived over a window that ends then, for the first time. */
export function fullAfterMs(course: readonly Poured[], bitsPerMs: number, windowMs: number): number | undefined {
  let start = 0
  for (const moment of course) {
    let first = course[start]
    for (let next = course[start + 1]; next && moment.ms - next.ms >= windowMs; next = course[start + 1]) {
      start++
      first = next
    }
    if (first === undefined || moment.ms - first.ms < windowMs) continue
    if (((sum(moment) - sum(first)) * 8) / (moment.ms - first.ms) >= bitsPerMs) return moment.ms
  }
  return undefined
}

const sum = ({ bytes }: Poured): number => bytes.reduce((total, each) => total + each, 0)
