/**
 * What `connect` tells the outside: events as they happen, and a snapshot whenever somebody looks. The cli renders
 * both; nothing below it prints. The JSON output is the events as they stand here, one per line, with `"v":1`.
 */
import type { ErrorCode, TunnelError } from '../errors.ts'
import type { MoveReason } from '../mux/links.ts'

export type ConnectEvent =
  | {
      readonly event: 'connected'
      readonly gateway: string
      readonly agent: string
      readonly pingMs: number
      /** What the gateway calls itself: `tunnelctl/1.2.3`. Untrusted. */
      readonly gatewaySoftware: string
    }
  | { readonly event: 'forwarding'; readonly local: string; readonly target: string }
  | { readonly event: 'open'; readonly stream: number; readonly target: string }
  | {
      readonly event: 'close'
      readonly stream: number
      readonly target: string
      readonly bytesUp: number
      readonly bytesDown: number
      readonly ms: number
      /** `OK` when both halves ended in order. */
      readonly code: ErrorCode | 'OK'
    }
  | {
      readonly event: 'stats'
      readonly bytesUp: number
      readonly bytesDown: number
      readonly streamsOpen: number
      readonly streamsTotal: number
      readonly pingMs: number | null
    }
  | { readonly event: 'disconnected'; readonly reason: string }
  | { readonly event: 'resumed'; readonly gapMs: number }
  /** The session went to another carrier without a gap. */
  | { readonly event: 'moved'; readonly reason: MoveReason }
  | {
      readonly event: 'error'
      readonly code: ErrorCode
      readonly message: string
      readonly hint: string
      /** Set when the failure ended one connection only. */
      readonly stream?: number
      readonly target?: string
    }

export type LinkState =
  | { readonly name: 'connecting' }
  | { readonly name: 'connected' }
  /** The carrier seems to live, but an answer is due and does not come. */
  | { readonly name: 'silent'; readonly forMs: number }
  /** The carrier is lost and a dial is under way; streams are held. */
  | { readonly name: 'resuming'; readonly forMs: number; readonly streamsHeld: number }
  /** The last dial failed; the next one starts in `nextTryMs`. */
  | { readonly name: 'offline'; readonly forMs: number; readonly nextTryMs: number; readonly reason: string }

export interface ForwardSnapshot {
  /** As printed: `127.0.0.1:5432`. */
  readonly local: string
  readonly target: string
  readonly streamsOpen: number
  readonly streamsTotal: number
  /** From OPEN to the agent's answer, the last time. */
  readonly openMs?: number
  /** Bytes from the developer to the service. */
  readonly bytesUp: number
  readonly bytesDown: number
}

export interface StreamSnapshot {
  readonly id: number
  readonly target: string
  readonly ageMs: number
  readonly bytesUp: number
  readonly bytesDown: number
}

export interface PingSnapshot {
  /** End to end, connect to agent and back. Undefined until the first answer. */
  readonly nowMs?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** Oldest first, at most 30: material for a sparkline. */
  readonly recentMs: readonly number[]
  /** The first leg alone, connect to gateway and back. */
  readonly gatewayMs?: number
  /** How long the agent took to reach a service, the last time: from OPEN to its answer, without the ping. */
  readonly dialMs?: number
}

export interface ConnectSnapshot {
  readonly gateway: string
  readonly agent: string
  readonly state: LinkState
  readonly uptimeMs: number
  readonly resumes: number
  readonly ping: PingSnapshot
  readonly forwards: readonly ForwardSnapshot[]
}

/** Where `connect` reports to. `snapshot` may be called at any time and costs nothing when it is not. */
export interface ConnectSink {
  event(event: ConnectEvent): void
}

/** What the uplink tells `Connect`. */
export interface UplinkEvents {
  /** A session is attached: the first one, or a new one after the old was lost. */
  connected(agent: string, gatewaySoftware: string): void
  /** The session is attached again; its streams go on. */
  resumed(gapMs: number): void
  /** The session went to another carrier while the one before still served. */
  moved(reason: MoveReason): void
  disconnected(error: TunnelError): void
  /** It was asked to, and could not; it goes on as it was. */
  notMoved(error: TunnelError): void
  /** The session could not be resumed: its streams were reset. */
  sessionLost(error: TunnelError): void
}
