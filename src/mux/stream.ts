/**
 * One bidirectional byte stream of a session, as a Node Duplex with both halves independent.
 *
 * Invariants: the peer never sent more than `limit`; `limit − consumed` never exceeds the window, where
 * consumed = received − readableLength. Credit is therefore returned when the application has taken bytes, not when they
 * arrived, and what a stalled reader costs is one window.
 *
 * Emits `opened` with the port once the acceptor has dialled. Errors are TunnelErrors: of the peer's RESET, or of the
 * session's end. The stream has an `error` listener of its own, so that one nobody listens to cannot end the process.
 */
import { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import { isLent, lend } from '../slab.ts'
import { encodeCredit, encodeOpened, encodeReset, FrameType } from '../wire/frame.ts'
import { violation } from '../wire/message.ts'
import type { Sender } from './scheduler.ts'
import { EARLY_DATA_BYTES, INITIAL_WINDOW_BYTES, ReceiveWindow, SendWindow, type WindowBudget } from './window.ts'

/** What a stream needs of its session. */
export interface StreamHost {
  readonly clock: Clock
  readonly rttMs: number | undefined
  readonly budget: WindowBudget
  /** The stream has data and credit: it will be asked to `serve`. */
  ready(stream: Stream): void
  /** Sends a frame as soon as the carrier lives, never behind the data of other streams. */
  frame(type: number, stream: number, payload: Buffer | null): void
  /** As `frame`, for a frame that may wait a moment for others to leave with. */
  lingeringFrame(type: number, stream: number, payload: Buffer | null): void
  /** No frame of this stream is sent or expected any more. Called exactly once. */
  ended(stream: Stream): void
}

/** Who opened the stream. */
export type StreamSide = 'initiator' | 'acceptor'

export class Stream extends Duplex implements Sender {
  readonly id: number
  /** Initiator: the acceptor has reached the service. */
  opened = false
  readonly #host: StreamHost
  readonly #sendWindow: SendWindow
  readonly #receiveWindow: ReceiveWindow
  /** Chunks of the write in progress, not handed over yet. */
  #pending: Buffer[] = []
  pendingBytes = 0
  #written: ((error?: Error | null) => void) | undefined
  /** The acceptor holds back its grants until `accept`; an initiator has told its limit in OPEN. */
  #accepted: boolean
  #finSent = false
  #finReceived = false
  #ended = false

  /** @param limit what the peer granted: an initiator starts with EARLY_DATA_BYTES, an acceptor with the limit in OPEN */
  constructor(host: StreamHost, id: number, side: StreamSide, limit: number = EARLY_DATA_BYTES) {
    super({ allowHalfOpen: true, highWaterMark: 64 * 1024 })
    this.id = id
    this.#host = host
    this.#accepted = side === 'initiator'
    this.#sendWindow = new SendWindow(limit)
    const granted = side === 'initiator' ? INITIAL_WINDOW_BYTES : EARLY_DATA_BYTES
    this.#receiveWindow = new ReceiveWindow(granted, host.budget, host.clock.now())
    this.on('error', () => {})
  }

  get bytesSent(): number {
    return this.#sendWindow.sent
  }

  get bytesReceived(): number {
    return this.#receiveWindow.received
  }

  /** Bytes that the peer may send before it waits for this side's reader. */
  get windowBytes(): number {
    return this.#receiveWindow.window
  }

  /** Acceptor: the service is reached at `port`; from now on the peer may send a whole window. Call once. */
  accept(port: number): void {
    if (this.#ended || this.destroyed) return
    this.#accepted = true
    const limit = this.#receiveWindow.grant(this.#consumed, this.#host.clock.now(), undefined)
    const opened = encodeOpened(limit ?? this.#receiveWindow.limit, port)
    // While the client has early data left it does not wait for this, and the service's first bytes often follow at once.
    if (this.bytesReceived > EARLY_DATA_BYTES / 2) this.#host.frame(FrameType.OPENED, this.id, opened)
    else this.#host.lingeringFrame(FrameType.OPENED, this.id, opened)
  }

  /** Ends both directions at once; the peer sees `error`. What was not sent or read yet is dropped. */
  reset(error: TunnelError): void {
    this.destroy(error)
  }

  // From the session, which has checked the frame's shape.

  receiveData(payload: Buffer): void {
    if (this.#finReceived) throw violation('DATA after FIN')
    this.#receiveWindow.take(payload.length)
    if (this.destroyed) return
    if (payload.length < this.#copyBelowBytes(payload)) this.push(Buffer.from(payload))
    else {
      lend(payload)
      this.push(payload)
    }
    // A flowing reader has consumed it already, without a call of read().
    this.#returnCredit()
  }

  receiveFin(): void {
    if (this.#finReceived) throw violation('a second FIN')
    this.#finReceived = true
    if (!this.destroyed) this.push(null)
    this.#checkEnded()
  }

  receiveCredit(limit: number): void {
    if (this.#sendWindow.grant(limit) && this.#pending.length > 0) this.#host.ready(this)
  }

  receiveOpened(limit: number, port: number): void {
    this.receiveCredit(limit)
    this.opened = true
    this.emit('opened', port)
  }

  /** The peer has ended the stream, or the session ended it: nothing is sent back. */
  receiveReset(error: TunnelError): void {
    this.#end()
    this.destroy(error)
  }

  // From the scheduler.

  serve(maxBytes: number): boolean {
    let left = Math.min(maxBytes, this.#sendWindow.available)
    while (left > 0) {
      const chunk = this.#pending[0]
      if (chunk === undefined) break
      const part = chunk.length <= left ? chunk : chunk.subarray(0, left)
      if (part === chunk) this.#pending.shift()
      else this.#pending[0] = chunk.subarray(left)
      left -= part.length
      this.pendingBytes -= part.length
      this.#sendWindow.use(part.length)
      this.#host.frame(FrameType.DATA, this.id, part)
    }
    if (this.#pending.length === 0) {
      const written = this.#written
      this.#written = undefined
      written?.()
    }
    return this.#pending.length > 0 && this.#sendWindow.available > 0
  }

  // The Duplex contract.

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (chunk.length === 0) return callback()
    this.#pending.push(chunk)
    this.pendingBytes += chunk.length
    this.#written = callback
    if (this.#sendWindow.available > 0) this.#host.ready(this)
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    callback: (error?: Error | null) => void,
  ): void {
    for (const { chunk } of chunks) {
      if (chunk.length === 0) continue
      this.#pending.push(chunk)
      this.pendingBytes += chunk.length
    }
    if (this.#pending.length === 0) return callback()
    this.#written = callback
    if (this.#sendWindow.available > 0) this.#host.ready(this)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#finSent = true
    if (!this.#ended) this.#host.frame(FrameType.FIN, this.id, null)
    callback()
    this.#checkEnded()
  }

  override _read(): void {
    this.#returnCredit()
  }

  // Node does not call _read() again before the next push(), so a reader that empties the buffer is noticed here.
  override read(size?: number): Buffer | null {
    const chunk: Buffer | null = super.read(size)
    this.#returnCredit()
    return chunk
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#pending = []
    this.pendingBytes = 0
    this.#written = undefined
    if (!this.#ended) {
      const { wire, message } = error ? asTunnelError(error) : new TunnelError('GONE', 'closed before its end')
      this.#host.frame(FrameType.RESET, this.id, encodeReset(wire, message))
      this.#end()
    }
    this.#receiveWindow.release()
    callback(error)
  }

  /** Below this a payload is copied: one that must wait would pin the whole chunk it arrived in. */
  #copyBelowBytes(payload: Buffer): number {
    const waits = this.readableFlowing !== true || this.readableLength > 0
    return waits ? 16 * 1024 : isLent(payload) ? 4 * 1024 : 0
  }

  get #consumed(): number {
    return this.#receiveWindow.received - this.readableLength
  }

  #returnCredit(): void {
    if (!this.#accepted || this.#finReceived || this.#ended) return
    const limit = this.#receiveWindow.grant(this.#consumed, this.#host.clock.now(), this.#host.rttMs)
    if (limit !== undefined) this.#host.frame(FrameType.CREDIT, this.id, encodeCredit(limit))
  }

  #checkEnded(): void {
    if (this.#finSent && this.#finReceived) this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#host.ended(this)
  }
}
