import type { Measure } from './measure.ts'

/** After a pause the first messages are late, those through Node the most: code is compiled then, and caches are cold. */
const mostWarmUpSeconds = 2

/** 64 bytes there and back, one at a time. */
export const roundtrip: Measure = {
  service: 'echo',
  figures: [
    {
      id: 'roundtrip-p50',
      label: 'echo round trip, p50',
      unit: 'µs',
      better: 'less',
      aims: { plain: { ratio: 1.6 } },
    },
    {
      id: 'roundtrip-p99',
      label: 'echo round trip, p99',
      unit: 'µs',
      better: 'less',
      aims: { plain: { ratio: 2 } },
    },
  ],
  run: async (port, { load, seconds }) => {
    const argument = { port, seconds: seconds / 2, warmUpSeconds: Math.min(mostWarmUpSeconds, 2 * seconds) }
    const { p50, p99 } = await load.run('roundtrip', argument, 3 * seconds * 1000 + 10_000)
    return { values: [p50, p99] }
  },
}
