/**
 * The state that one end shares with the other: streams, and through outbox and inbox the batches under way. It outlives
 * the carriers it rides on; who attaches it to which route is decided elsewhere (initiator.ts, acceptor.ts).
 *
 * Invariant I3: receiving never waits for a reader; windows bound what a stream may hold.
 */
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import { giveBackAll } from '../slab.ts'
import {
  decodeCredit,
  decodeOpen,
  decodeOpened,
  decodeReset,
  encodeOpen,
  encodeReset,
  FrameType,
  type Open,
  walkFrames,
} from '../wire/frame.ts'
import {
  decodeAck,
  decodeBatchHeader,
  decodeDetach,
  decodePing,
  encodeAck,
  encodeDetach,
  encodePing,
  Kind,
  kindOf,
  messageBytes,
  NO_REST,
  violation,
} from '../wire/message.ts'
import { Inbox } from './inbox.ts'
import { defaultLimits, MAX_STREAM_ID, MAX_UNSENT_BYTES, type SessionLimits, tooManyStreams } from './limits.ts'
import { Outbox } from './outbox.ts'
import { Ping } from './ping.ts'
import type { Route, RouteHandler } from './route.ts'
import type { SessionOptions, SessionState } from './session-options.ts'
import type { Answers } from './stall.ts'
import { Stream, type StreamHost } from './stream.ts'
import { GrowthBudget, INITIAL_WINDOW_BYTES, type WindowBudget } from './window.ts'

const PING_INTERVAL_MS = 20_000

export class Session implements StreamHost, RouteHandler {
  readonly clock: Clock
  readonly ping: Ping
  readonly budget: WindowBudget
  readonly limits: SessionLimits
  readonly #options: SessionOptions
  readonly #streams = new Map<number, Stream>()
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  #state: SessionState = 'detached'
  #route: Route | undefined
  #lastStreamId = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.clock = options.clock
    this.limits = options.limits ?? defaultLimits
    this.#inbox = new Inbox(this.clock, expected => this.#send(route => encodeAck(route, expected)))
    const takeAck = () => this.#inbox.takeAck()
    this.#outbox = new Outbox(this.clock, takeAck, () => this.rttMs)
    this.ping = new Ping({
      clock: this.clock,
      intervalMs: options.pingIntervalMs ?? PING_INTERVAL_MS,
      send: nonce => this.#send(route => encodePing(Kind.PING, route, nonce)),
    })
    this.budget = new GrowthBudget(this.limits.windowBudgetBytes)
    options.memory?.add(this, options.owner ?? '')
  }

  get state(): SessionState {
    return this.#state
  }

  /** What this end tells the other in ATTACH or ATTACHED: the next sequence number it expects. */
  get expected(): number {
    return this.#inbox.expected
  }

  get streams(): ReadonlyMap<number, Stream> {
    return this.#streams
  }

  get rttMs(): number | undefined {
    return this.ping.baseMs
  }

  /** Bytes kept for a resume. */
  get keptBytes(): number {
    return this.#outbox.keptBytes
  }

  /** The peer owes an answer to a ping, or to a batch that it has not acknowledged. */
  look(): Answers {
    return {
      awaiting: this.#state === 'live' && (this.#outbox.keptBytes > 0 || this.ping.awaiting),
      answers: this.#outbox.acknowledged + this.ping.answers,
      roundTripMs: this.ping.latestMs,
    }
  }

  /**
   * Opens a stream; it can be written at once, 64 KiB before the acceptor answers. While the session is detached the
   * stream waits for a carrier.
   * @throws TunnelError LIMIT, or SESSION_CLOSED
   */
  open(json: object): Stream {
    if (this.#state === 'closed') throw new TunnelError('SESSION_CLOSED', 'the session has ended')
    if (this.#streams.size >= this.limits.maxStreams) throw tooManyStreams(this.limits)
    if (this.#lastStreamId === MAX_STREAM_ID) throw new TunnelError('SESSION_CLOSED', 'stream ids are used up')
    const stream = new Stream(this, ++this.#lastStreamId, 'initiator')
    this.#streams.set(stream.id, stream)
    this.#options.memory?.grown(this)
    this.frame(FrameType.OPEN, stream.id, encodeOpen(INITIAL_WINDOW_BYTES, json))
    return stream
  }

  /**
   * Goes live on `route`. An older route is closed first and delivers nothing after this call.
   * @param peerExpected the peer's `expected`
   * @param peerMaxInflightBytes the peer's bound
   * @throws TunnelError DESYNC when the two ends cannot be joined any more
   */
  attach(route: Route, peerExpected: number, peerMaxInflightBytes: number): void {
    this.#route?.close()
    this.#route = route
    this.#transition('live', `route ${route.id}`)
    this.#outbox.attach(route, peerExpected, Math.min(this.limits.maxInflightBytes, peerMaxInflightBytes))
    this.ping.start()
  }

  /** The route is gone: streams wait until the next `attach`. */
  lost(error: TunnelError): void {
    if (this.#state !== 'live') return
    this.#leaveRoute()
    this.#transition('detached', error.code)
    this.#options.onDetached?.(error)
  }

  /** Ends the session and resets its streams with `error`. With `tellPeer`, the peer learns that it is final. */
  close(error: TunnelError, tellPeer = false): void {
    if (this.#state === 'closed') return
    if (tellPeer) {
      // The FIN of a stream that has just ended is not to be lost with the streams that are reset.
      this.#outbox.flush()
      this.#send(route => encodeDetach(route, { final: true, code: error.wire, retryMs: 0, reason: error.message }))
    }
    this.#leaveRoute()
    this.#transition('closed', error.code)
    this.#outbox.clear()
    const streams = [...this.#streams.values()]
    for (const stream of streams) stream.receiveReset(error)
    this.#options.memory?.remove(this)
    this.#options.onClosed?.(error, streams.length)
  }

  /** One message of the route, after ATTACHED. A violation ends the session, never the caller. */
  message(message: Buffer, rest: readonly Buffer[] = NO_REST): void {
    if (this.#state !== 'live') return
    try {
      this.#dispatch(message, rest)
      giveBackAll(message, rest)
    } catch (thrown) {
      this.close(asTunnelError(thrown), true)
    }
  }

  /** Resolves when the peer has everything that was sent, or the session has ended. */
  delivered(): Promise<void> {
    return this.#outbox.delivered()
  }

  /** The carrier has room again. */
  drain(): void {
    this.#outbox.drain()
  }

  ready(stream: Stream): void {
    this.#outbox.ready(stream)
  }

  frame(type: number, stream: number, payload: Buffer | null): void {
    if (this.#state !== 'closed') this.#outbox.frame(type, stream, payload)
  }

  lingeringFrame(type: number, stream: number, payload: Buffer | null): void {
    if (this.#state !== 'closed') this.#outbox.lingeringFrame(type, stream, payload)
  }

  ended(stream: Stream): void {
    this.#streams.delete(stream.id)
    this.#outbox.remove(stream)
  }

  #dispatch(message: Buffer, rest: readonly Buffer[]): void {
    switch (kindOf(message)) {
      case Kind.BATCH:
        return this.#batch(message, rest)
      case Kind.ACK:
        return this.#outbox.acknowledge(decodeAck(message))
      case Kind.PING:
        return this.#send(route => encodePing(Kind.PONG, route, decodePing(message)))
      case Kind.PONG:
        return this.ping.pong(decodePing(message))
      case Kind.DETACH: {
        const { final, code, reason } = decodeDetach(message)
        const error = TunnelError.fromWire(code, reason)
        return final ? this.close(error) : this.lost(error)
      }
      default:
        throw violation(`message kind ${kindOf(message)} on a live session`)
    }
  }

  #batch(message: Buffer, rest: readonly Buffer[]): void {
    const { seq, ack } = decodeBatchHeader(message)
    if (!this.#inbox.accept(seq, messageBytes(message, rest))) return
    this.#outbox.acknowledge(ack)
    walkFrames(message, this.#receive, rest)
    if (this.#streams.size === 0) this.#inbox.soon()
  }

  readonly #receive = (type: number, id: number, start: number, end: number, part: Buffer): void => {
    // A frame before this one, in the same batch, may have ended the session.
    if (this.#state === 'closed') return
    if (type === FrameType.OPEN) return this.#opened(id, decodeOpen(part, start, end))
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      // Frames of a stream that this end has dropped crossed its RESET.
      if (id <= this.#lastStreamId) return
      throw violation(`stream ${id} was never opened`)
    }
    switch (type) {
      case FrameType.DATA:
        stream.receiveData(part.subarray(start, end))
        return this.#options.memory?.grown(this, end - start)
      case FrameType.CREDIT:
        return stream.receiveCredit(decodeCredit(part, start))
      case FrameType.FIN:
        return stream.receiveFin()
      case FrameType.OPENED: {
        const { limit, port } = decodeOpened(part, start)
        return stream.receiveOpened(limit, port)
      }
      case FrameType.RESET: {
        const { code, reason } = decodeReset(part, start, end)
        return stream.receiveReset(TunnelError.fromWire(code, reason))
      }
    }
  }

  #opened(id: number, open: Open): void {
    if (this.#options.side === 'initiator') throw violation('OPEN from the acceptor')
    if (id <= this.#lastStreamId) throw violation(`stream ${id} was opened twice`)
    this.#lastStreamId = id
    if (this.#outbox.gatheredBytes > MAX_UNSENT_BYTES) throw new TunnelError('LIMIT', 'answers are not acknowledged')
    if (this.#streams.size >= this.limits.maxStreams) {
      const { wire, message } = tooManyStreams(this.limits)
      return this.frame(FrameType.RESET, id, encodeReset(wire, message))
    }
    const stream = new Stream(this, id, 'acceptor', open.limit)
    this.#streams.set(id, stream)
    this.#options.memory?.grown(this)
    // Nobody is to serve what was given up for want of memory.
    if (this.#streams.has(id)) this.#options.onOpen?.(stream, open)
  }

  #leaveRoute(): void {
    this.#route?.close()
    this.#route = undefined
    this.#outbox.detach()
    this.#inbox.stop()
    this.ping.stop()
  }

  #send(encode: (route: number) => Buffer): void {
    if (this.#route !== undefined) this.#route.send(encode(this.#route.id))
  }

  #transition(to: SessionState, why: string): void {
    this.#options.trace?.(`${this.#state} -> ${to} (${why})`)
    this.#state = to
  }
}
