/** What is measured in rounds. */
import { always, type Figure, type Measure } from '../measures/measure.ts'
import { requests } from '../measures/requests.ts'
import { hostOf, largePath, sinkPath, smallPath } from './targets.ts'

const less = { better: 'less' } as const
const patienceMs = 60_000

/** Half of what HAProxy gives. */
const half = { plain: { ratio: 0.5 } }
const small = { service: 'web', path: smallPath, host: hostOf('web') } as const

const latencies: Measure = {
  service: 'web',
  figures: [
    { id: 'latency-p50', label: 'request, 1 connection, p50', unit: 'µs', ...less },
    { id: 'latency-p99', label: 'request, 1 connection, p99', unit: 'µs', ...less },
    {
      id: 'latency-added-p50',
      label: 'request, 1 connection, p50 above direct',
      unit: 'ms',
      ...less,
      aims: always({ value: 0.5 }),
    },
  ],
  run: async (port, { load, seconds, services }) => {
    const asked = { port, host: small.host, path: small.path, direct: services.web ?? 0, seconds }
    const { p50, p99, direct } = await load.run('exchanges', asked, seconds * 1000 + patienceMs)
    return { values: [p50, p99, (p50 - direct) / 1000] }
  },
}

const megabytes = (direction: 'down' | 'up'): Figure => ({
  id: `body-${direction}`,
  label: `body ${direction}`,
  unit: 'MB/s',
  better: 'more',
})

const download: Measure = {
  service: 'web',
  figures: [megabytes('down')],
  run: async (port, { load }) => {
    const asked = { port, host: hostOf('web'), path: largePath, digest: false }
    const { megabytesPerSecond } = await load.run('download', asked, patienceMs)
    return { values: [megabytesPerSecond] }
  },
}

const upload = (bytes: number): Measure => ({
  service: 'sink',
  figures: [megabytes('up')],
  run: async (port, { load }) => {
    const asked = { port, host: hostOf('sink'), path: sinkPath, bytes, digest: false }
    const { megabytesPerSecond } = await load.run('upload', asked, patienceMs)
    return { values: [megabytesPerSecond] }
  },
})

/** @param bodyBytes of an upload; the large file has its own length */
export const httpMeasures = (bodyBytes: number): readonly Measure[] => [
  requests(1, half, small),
  requests(64, half, small),
  latencies,
  download,
  upload(bodyBytes),
]

/** So that the closed ones, which the kernel remembers for a minute, never use up the local ports. */
const mostUpgrades = 1_000

const upgrades: Measure = {
  service: 'websocket',
  figures: [
    {
      id: 'upgrade-p50',
      label: 'upgrade, from the TCP connect to 101, p50',
      unit: 'ms',
      ...less,
      aims: always({ value: 5 }),
    },
  ],
  run: async (port, { load, seconds }) => {
    const asked = { port, host: hostOf('websocket'), seconds: seconds / 2, most: mostUpgrades }
    const { p50 } = await load.run('upgrades', asked, seconds * 1000 + patienceMs)
    return { values: [p50 / 1000] }
  },
}

/** One message at a time on each connection. */
function echoes(connections: number): Measure {
  const name = `WebSocket echo, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
  return {
    service: 'websocket',
    figures: [
      { id: `echo-${connections}-p50`, label: `${name}, p50`, unit: 'µs', ...less },
      { id: `echo-${connections}-p99`, label: `${name}, p99`, unit: 'µs', ...less },
    ],
    run: async (port, { load, seconds }) => {
      const asked = { port, host: hostOf('websocket'), seconds: seconds / 2, connections, window: 1 }
      const { p50, p99 } = await load.run('webSocketEchoes', asked, seconds * 1000 + patienceMs)
      return { values: [p50, p99] }
    },
  }
}

const [lines, window] = [16, 16]

export const echoRate: Figure = {
  id: 'echo-rate',
  label: `WebSocket echo, ${lines} connections, ${window} messages under way on each`,
  unit: '1/s',
  better: 'more',
}

export const throughput: Measure = {
  service: 'websocket',
  figures: [echoRate],
  cost: { id: 'cpu-echo-rate', label: 'WebSocket echo', unit: 's/1,000', better: 'less' },
  run: async (port, { load, seconds }) => {
    const asked = { port, host: hostOf('websocket'), seconds, connections: lines, window }
    const { perSecond } = await load.run('webSocketEchoes', asked, seconds * 1000 + patienceMs)
    return { values: [perSecond], done: (perSecond * seconds) / 1000 }
  },
}

export const webSocketMeasures: readonly Measure[] = [upgrades, echoes(1), echoes(100), throughput]
