import type { Measure } from './measure.ts'

/** So that the closed ones, which the kernel remembers for a minute, never use up the local ports. */
const most = 2_000

/** A new connection and the first byte echoed over it, one after the other. */
export const connections: Measure = {
  service: 'echo',
  figures: [
    {
      id: 'connection-p50',
      label: 'new connection + echo, p50',
      unit: 'µs',
      better: 'less',
      aims: { plain: { ratio: 1.3 } },
    },
  ],
  run: async (port, { load, seconds }) => {
    const { p50 } = await load.run('connections', { port, seconds: seconds / 2, most }, seconds * 1000 + 10_000)
    return { values: [p50] }
  },
}
