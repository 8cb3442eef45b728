/**
 * What `connect` tells the outside: events as they happen, and a snapshot whenever somebody looks. The cli renders
 * both; nothing below it prints. The JSON output is the events as they stand here, one per line, with `"v":1`.
 */
import type { ErrorCode } from '../errors.ts'
import type { MoveReason } from '../mux/links.ts'
import type { LinkState, UplinkPing } from '../uplink/state.ts'

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

export interface PingSnapshot extends UplinkPing {
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
