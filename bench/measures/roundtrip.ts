import type { Measure } from './measure.ts'

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
    const { p50, p99 } = await load.run('roundtrip', { port, seconds: seconds / 2 }, seconds * 1000 + 10_000)
    return { values: [p50, p99] }
  },
}
