/**
 * A carrier moves whole messages between two neighbours, in order, until it dies. It knows nothing of sessions. One
 * contract suite (test/carrier/contract.ts) holds every implementation to this interface.
 */

export interface CarrierEnd {
  /** WebSocket close code (docs/protocol.md, "Close codes"); 1006 when the carrier died without one. */
  readonly code: number
  /** Untrusted text when the peer closed: escape it where shown. */
  readonly reason: string
}

export interface CarrierHandler {
  /**
   * One whole message; a large one goes on in `rest` (then `message` holds 4 KiB at least). The handler owns the buffers, may
   * change them, and gives them back when it needs them no more (slab.ts). It must not throw.
   */
  message(message: Buffer, rest: readonly Buffer[]): void
  /** Little is buffered any more, after `bufferedBytes` had reached HIGH_WATER_BYTES. */
  drain(): void
  /** Called exactly once, last: no message follows. */
  closed(end: CarrierEnd): void
}

export interface Carrier {
  /**
   * Queues one message, which goes on in `rest`. The buffers must not change until the carrier has ended. After the end it is
   * dropped silently: what must survive is kept by the session until it is acknowledged.
   */
  send(message: Buffer, rest?: readonly Buffer[]): void
  /** As `send`, of buffers that are the carrier's own from now on: it gives them back when they have left. */
  pass(message: Buffer, rest: readonly Buffer[]): void
  /** Bytes handed over that have not left this process. The sender keeps this small: the carrier sets no limit. */
  readonly bufferedBytes: number
  /** Bytes handed over since the beginning, in the carrier's own count. They leave in order. */
  readonly sentBytes: number
  /** Round-trip time of the latest heartbeat, in milliseconds, once one was answered. */
  readonly heartbeatMs: number | undefined
  /** How many heartbeats the peer has answered. */
  readonly pongs: number
  /** One heartbeat now, beside those that come by themselves. */
  probe(): void
  /**
   * Delivers nothing for `ms` milliseconds from the next message on, and reads nothing: what the peer sends meanwhile waits on its
   * side. Has no effect while it holds already.
   * @param more asked when the time is up: so many milliseconds more; none when it gives 0, or is absent
   */
  hold(ms: number, more?: () => number): void
  /** Says goodbye and ends soon, also when the peer does not answer. Messages queued before it still leave. */
  close(code: number, reason: string): void
  /** Ends now, saying nothing. */
  terminate(): void
  /** Starts delivery to `handler`; messages that arrived before are delivered first. Called exactly once. */
  start(handler: CarrierHandler): void
}

/** Above this many buffered bytes a sender with data waits for `drain`: small, so that control frames overtake soon. */
export const HIGH_WATER_BYTES = 256 * 1024
/** `drain` is called when the buffered bytes fall below this. */
export const LOW_WATER_BYTES = 128 * 1024
