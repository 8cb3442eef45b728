/** What a session is made of, and the states it can be in. */
import type { Clock } from '../clock.ts'
import type { TunnelError } from '../errors.ts'
import type { Open } from '../wire/frame.ts'
import type { SessionLimits } from './limits.ts'
import type { SessionMemory } from './memory.ts'
import type { Stream, StreamSide } from './stream.ts'

export type SessionState = 'detached' | 'live' | 'closed'

export interface SessionOptions {
  readonly side: StreamSide
  readonly clock: Clock
  readonly limits?: SessionLimits
  readonly pingIntervalMs?: number
  /** Bounds what this session and others hold. Absent: only windows bound it. */
  readonly memory?: SessionMemory
  /** Whose it is, to `memory`. */
  readonly owner?: string
  /**
   * Acceptor: a stream was opened. The callee accepts it, or resets it, now or later; data that came with OPEN is
   * readable already.
   */
  readonly onOpen?: (stream: Stream, open: Open) => void
  /** The route is gone; streams wait for the next `attach`. */
  readonly onDetached?: (error: TunnelError) => void
  /** The session ended for good; its streams are reset already, so many. Called once. */
  readonly onClosed?: (error: TunnelError, streams: number) => void
  readonly trace?: (transition: string) => void
}
