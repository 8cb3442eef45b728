/** What is reported of a WebSocket frame that passed (RFC 6455, 5.2). */
import type { Opcode } from '../../carrier/framing.ts'

/** Who sent it. A client masks its frames, a service does not (RFC 6455, 5.1). */
export type Side = 'client' | 'service'

interface FrameHead {
  readonly fin: boolean
  /** Of a message under permessage-deflate: compressed (RFC 7692, 6). */
  readonly rsv1: boolean
  readonly masked: boolean
  /** Length of the payload as the header says it, without the header; at most 2^53 - 1. */
  readonly bytes: number
}

/** Its payload may still be under way, and may never come. */
export interface DataFrame extends FrameHead {
  readonly opcode: typeof Opcode.CONTINUATION | typeof Opcode.TEXT | typeof Opcode.BINARY
}

export interface PingFrame extends FrameHead {
  readonly opcode: typeof Opcode.PING | typeof Opcode.PONG
  /** Unmasked, at most 125 bytes; the receiver's to keep. Data from the wire, which need not be text. */
  readonly payload: Buffer
}

export interface CloseFrame extends FrameHead {
  readonly opcode: typeof Opcode.CLOSE
  /** As sent, whether or not it may be (RFC 6455, 7.4); 1005 when there is none (7.1.5). */
  readonly code: number
  /**
   * Unmasked, of at most 123 bytes; what is not UTF-8 in it is U+FFFD. It is data from the wire, with whatever controls
   * somebody put there: who shows it escapes it (observe/escape.ts).
   */
  readonly reason: string
}

export type Frame = DataFrame | PingFrame | CloseFrame
