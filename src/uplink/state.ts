/** How the way up is, and what it tells whoever uses it. */
import type { TunnelError } from '../errors.ts'
import type { MoveReason } from '../mux/links.ts'

export type LinkState =
  | { readonly name: 'connecting' }
  | { readonly name: 'connected' }
  /** The carrier seems to live, but an answer is due and does not come. */
  | { readonly name: 'silent'; readonly forMs: number }
  /** The carrier is lost and a dial is under way; streams are held. */
  | { readonly name: 'resuming'; readonly forMs: number; readonly streamsHeld: number }
  /** The last dial failed; the next one starts in `nextTryMs`. */
  | { readonly name: 'offline'; readonly forMs: number; readonly nextTryMs: number; readonly reason: string }

export interface UplinkPing {
  /** End to end, connect to agent and back. Undefined until the first answer. */
  readonly nowMs?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** Oldest first, at most 30: material for a sparkline. */
  readonly recentMs: readonly number[]
  /** The first leg alone, connect to gateway and back. */
  readonly gatewayMs?: number
}

/** What the uplink tells its owner. */
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
