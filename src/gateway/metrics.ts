/** What the gateway tells Prometheus, read from the hops and from its totals when somebody scrapes. */
import type { Role } from '../net/claims.ts'
import type { Metric } from '../observe/metrics.ts'
import type { Hop } from './hop.ts'
import type { Arrivals } from './ingress/arrivals.ts'

export interface GatewayTotals {
  /** Of carriers that have ended. */
  receivedBytes: number
  sentBytes: number
  opensAllowed: number
  opensDenied: number
  /** Upgrades that were refused. */
  refused: number
  /** Routes that were detached for overload. */
  overloads: number
}

export function gatewayMetrics(
  hops: ReadonlySet<Hop>,
  totals: Readonly<GatewayTotals>,
  arrivals: Pick<Arrivals, 'size' | 'ended' | 'dropped'>,
): Metric[] {
  const count = (role: Role) => [...hops].filter(hop => hop.principal.role === role && !hop.local).length
  const sum = (read: (hop: Hop) => number) => [...hops].reduce((total, hop) => total + read(hop), 0)
  return [
    { name: 'agents', help: 'Agents connected', kind: 'gauge', read: () => count('agent') },
    { name: 'clients', help: 'Connect carriers', kind: 'gauge', read: () => count('connect') },
    {
      name: 'sessions',
      help: 'Sessions attached',
      kind: 'gauge',
      read: () => sum(hop => (hop.principal.role === 'agent' ? hop.legs.size : 0)),
    },
    {
      name: 'received_bytes_total',
      help: 'Bytes of messages received on carriers',
      kind: 'counter',
      read: () => totals.receivedBytes + sum(hop => hop.receivedBytes),
    },
    {
      name: 'sent_bytes_total',
      help: 'Bytes of messages sent on carriers',
      kind: 'counter',
      read: () => totals.sentBytes + sum(hop => hop.sentBytes),
    },
    {
      name: 'queued_bytes',
      help: 'Bytes that wait in the queues of routes',
      kind: 'gauge',
      read: () => sum(hop => [...hop.legs.values()].reduce((total, leg) => total + leg.queuedBytes, 0)),
    },
    { name: 'opens_allowed_total', help: 'Streams allowed', kind: 'counter', read: () => totals.opensAllowed },
    { name: 'opens_denied_total', help: 'Streams denied', kind: 'counter', read: () => totals.opensDenied },
    { name: 'refused_total', help: 'Upgrades refused', kind: 'counter', read: () => totals.refused },
    { name: 'overloads_total', help: 'Routes detached for overload', kind: 'counter', read: () => totals.overloads },
    { name: 'arrivals', help: 'Connections that nobody knows yet', kind: 'gauge', read: () => arrivals.size },
    {
      name: 'arrivals_ended_total',
      help: 'Connections that made room for others of their address',
      kind: 'counter',
      read: () => arrivals.ended,
    },
    {
      name: 'connections_dropped_total',
      help: 'Connections over the limit of all',
      kind: 'counter',
      read: () => arrivals.dropped,
    },
  ]
}
