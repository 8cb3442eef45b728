/** Snapshots for tests: a session as it usually is, and what differs. */
import type { ConnectSnapshot, ForwardSnapshot } from '../../../src/connect/events.ts'

export function forward(index: number, differences: Partial<ForwardSnapshot> = {}): ForwardSnapshot {
  return {
    local: `127.0.0.1:${5432 + index}`,
    target: 'db/prod:5432',
    streamsOpen: 0,
    streamsTotal: 0,
    bytesUp: 0,
    bytesDown: 0,
    ...differences,
  }
}

export function snapshotOf(differences: Partial<ConnectSnapshot> = {}): ConnectSnapshot {
  return {
    gateway: 'wss://gw.example.com',
    agent: 'prod',
    state: { name: 'connected' },
    uptimeMs: 12 * 60_000,
    resumes: 0,
    ping: { nowMs: 23, p50Ms: 22, p99Ms: 41, recentMs: [22, 23, 24, 41, 23], gatewayMs: 11 },
    forwards: [forward(0)],
    ...differences,
  }
}
