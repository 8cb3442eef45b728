/** What the agent tells Prometheus, read when somebody scrapes. */
import type { Acceptor } from '../mux/acceptor.ts'
import type { Metric } from '../observe/metrics.ts'
import type { ServedStreams } from './served.ts'

export interface AgentFigures {
  readonly acceptor: Acceptor
  readonly served: ServedStreams
  readonly registered: () => boolean
  /** Sessions that were asked for in vain. */
  readonly refusals: () => number
}

export function agentMetrics({ acceptor, served, registered, refusals }: AgentFigures): Metric[] {
  return [
    {
      name: 'registered',
      help: '1 while registered at the gateway',
      kind: 'gauge',
      read: () => Number(registered()),
    },
    {
      name: 'sessions',
      help: 'Sessions, detached ones included',
      kind: 'gauge',
      read: () => acceptor.sessions,
    },
    {
      name: 'detached_sessions',
      help: 'Sessions that wait for their client to come back',
      kind: 'gauge',
      read: () => acceptor.detachedSessions,
    },
    {
      name: 'kept_bytes',
      help: 'Bytes kept until the client acknowledges them',
      kind: 'gauge',
      read: () => acceptor.keptBytes,
    },
    {
      name: 'resumes_refused_total',
      help: "Sessions asked for that are unknown, or not proven to be the asker's",
      kind: 'counter',
      read: () => refusals(),
    },
    { name: 'streams', help: 'Streams open', kind: 'gauge', read: () => acceptor.streams },
    { name: 'streams_total', help: 'Streams that reached a service', kind: 'counter', read: () => served.opened },
    { name: 'dial_failures_total', help: 'Streams that did not', kind: 'counter', read: () => served.failed },
    {
      name: 'service_sent_bytes_total',
      help: 'Bytes to services, of streams that have ended',
      kind: 'counter',
      read: () => served.bytesToServices,
    },
    {
      name: 'service_received_bytes_total',
      help: 'Bytes from services, of streams that have ended',
      kind: 'counter',
      read: () => served.bytesFromServices,
    },
  ]
}
