/** A carrier over one WebSocket, for both ends: limits, heartbeat, masks, the closing handshake. */
import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Bucket } from '../net/bucket.ts'
import { readSocket } from '../net/reading.ts'
import { giveBack } from '../slab.ts'
import { NO_REST } from '../wire/message.ts'
import { type Carrier, type CarrierEnd, type CarrierHandler, HIGH_WATER_BYTES } from './carrier.ts'
import { FrameWriter, type Masking } from './frame-writer.ts'
import { closePayload, FrameReader, FramingError, isCloseCode, Opcode } from './framing.ts'
import { defaultHeartbeat, type HeartbeatOptions, Liveness } from './liveness.ts'
import type { Upgraded } from './upgrade.ts'

export interface WebSocketCarrierOptions {
  readonly clock: Clock
  readonly masking: Masking
  readonly heartbeat?: HeartbeatOptions
}

/** How long a closing handshake may take before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 2_000
/** A peer may ping this often, and so many times at once; faster than that is a flood. */
const MAX_PINGS_PER_SECOND = 1
const MAX_EARLY_PINGS = 20
/** The first beat times a process that has just started; a second one soon times the path. */
const SECOND_BEAT_MS = 1_000
/** From here on, a close code says what the peer did wrong. */
const LEAST_FAULT = 4400
/** More than this of a peer that was closed is not read. */
const MAX_DROPPED_BYTES = 256 * 1024
const NO_STATUS = 1005
const ABNORMAL = 1006
const EMPTY = Buffer.alloc(0)

/** `closing`: our CLOSE is sent. `ended`: the handler was told, or will be at `start`; nothing is read or sent. */
type State = 'open' | 'closing' | 'ended'

export class WebSocketCarrier implements Carrier {
  heartbeatMs: number | undefined
  pongs = 0
  readonly #socket: Socket
  readonly #head: Buffer
  readonly #clock: Clock
  readonly #liveness: Liveness
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  #state: State = 'open'
  #handler: CarrierHandler | undefined
  #end: CarrierEnd | undefined
  #full = false
  #pingSentAt: number | undefined
  readonly #pings: Bucket
  #cancelBeat: () => void
  #cancelHold: (() => void) | undefined
  /** Why we have closed, when it is the peer's: it may go on sending, and nobody looks at it any more. */
  #fault: CarrierEnd | undefined
  #droppedBytes = 0
  #cancelClose: () => void = () => {}

  /** Call it in the turn in which the socket was upgraded: its `error` listener is this carrier's from now on. */
  constructor({ socket, head }: Upgraded, options: WebSocketCarrierOptions) {
    this.#socket = socket
    this.#head = head
    this.#clock = options.clock
    const heartbeat = options.heartbeat ?? defaultHeartbeat
    const now = this.#clock.now()
    this.#liveness = new Liveness(heartbeat, now)
    this.#pings = new Bucket(MAX_PINGS_PER_SECOND, MAX_EARLY_PINGS, now)
    this.#reader = new FrameReader(options.masking === 'none', {
      message: (first, rest) => {
        this.#liveness.heard(this.#clock.now())
        this.#handler?.message(first, rest)
      },
      control: (opcode, payload) => this.#control(opcode, payload),
    })
    this.#writer = new FrameWriter(socket, options.masking)
    socket.setTimeout(0)
    socket.setNoDelay()
    socket.on('error', error => this.#ended({ code: ABNORMAL, reason: error.message }))
    socket.on('close', () => this.#ended({ code: ABNORMAL, reason: '' }))
    // A FIN without CLOSE before it. Without data before it, it is told to a paused socket too.
    socket.on('end', () => this.#leave({ code: ABNORMAL, reason: '' }))
    // Nothing is read until somebody listens; the kernel holds what the peer sends meanwhile.
    socket.pause()
    this.#cancelBeat = this.#clock.after(Math.min(SECOND_BEAT_MS, heartbeat.intervalMs), this.#beat)
  }

  get sentBytes(): number {
    return this.#writer.sentBytes
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  start(handler: CarrierHandler): void {
    this.#handler = handler
    if (this.#end !== undefined) return handler.closed(this.#end)
    const socket = this.#socket
    socket.on('drain', () => {
      if (!this.#full) return
      this.#full = false
      if (this.#state === 'open') handler.drain()
    })
    if (this.#head.length > 0) this.#read(this.#head)
    readSocket(socket, this.#read)
    // What came with the handshake may have been too much already.
    if (this.#cancelHold === undefined) socket.resume()
    // The first beat gives the first leg's round-trip time before anybody asks for it.
    this.#sendPing()
  }

  send(message: Buffer, rest: readonly Buffer[] = NO_REST): void {
    if (this.#state === 'open') this.#write(Opcode.BINARY, message, rest, false)
  }

  pass(message: Buffer, rest: readonly Buffer[]): void {
    if (this.#state === 'open') this.#write(Opcode.BINARY, message, rest, true)
  }

  hold(ms: number, more: () => number = () => 0): void {
    if (this.#state !== 'open' || this.#cancelHold !== undefined) return
    this.#reader.hold()
    this.#socket.pause()
    const release = () => {
      const leftMs = more()
      if (leftMs > 0) {
        this.#cancelHold = this.#clock.after(leftMs, release)
        return
      }
      this.#cancelHold = undefined
      this.#socket.resume()
      if (this.#state !== 'ended' && this.#fault === undefined) this.#feed()
    }
    this.#cancelHold = this.#clock.after(ms, release)
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    this.#sendClose(closePayload(code, reason))
    if (code < LEAST_FAULT) return
    this.#fault = { code, reason }
    this.#reader.stop()
    this.#socket.end()
  }

  terminate(): void {
    this.#socket.destroy()
  }

  probe(): void {
    this.#sendPing()
  }

  #write(opcode: number, first: Buffer, rest: readonly Buffer[], pass: boolean): void {
    this.#writer.write(opcode, first, rest, pass)
    if (this.#socket.writableLength >= HIGH_WATER_BYTES) this.#full = true
  }

  readonly #read = (chunk: Buffer): void => {
    if (this.#state !== 'ended' && this.#fault === undefined) return this.#feed(chunk)
    giveBack(chunk)
    this.#droppedBytes += chunk.length
    if (this.#droppedBytes > MAX_DROPPED_BYTES) this.#socket.destroy()
  }

  /** @param chunk absent: what was held */
  #feed(chunk?: Buffer): void {
    try {
      if (chunk === undefined) this.#reader.release()
      else this.#reader.read(chunk)
    } catch (thrown) {
      if (!(thrown instanceof FramingError)) throw thrown
      this.close(thrown.code, thrown.message)
      this.#leave({ code: ABNORMAL, reason: thrown.message })
    }
  }

  #control(opcode: number, payload: Buffer): void {
    switch (opcode) {
      case Opcode.PING:
        return this.#pinged(payload)
      case Opcode.PONG:
        return this.#ponged()
      default:
        return this.#closeReceived(payload)
    }
  }

  /** RFC 6455, 5.5.1: the answer carries the code that it answers. */
  #closeReceived(payload: Buffer): void {
    if (payload.length === 1) throw new FramingError(1002, 'half a close code')
    const code = payload.length === 0 ? NO_STATUS : payload.readUInt16BE(0)
    if (payload.length > 0 && !isCloseCode(code)) throw new FramingError(1002, `${code} is no close code`)
    if (this.#state === 'open') this.#sendClose(payload.subarray(0, 2))
    this.#leave({ code, reason: payload.toString('utf8', 2) })
  }

  #sendClose(payload: Buffer): void {
    this.#write(Opcode.CLOSE, payload, NO_REST, false)
    this.#state = 'closing'
    this.#cancelClose = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.destroy())
  }

  /** Nothing more is to come; what is queued still leaves. */
  #leave(end: CarrierEnd): void {
    this.#socket.end()
    this.#ended(end)
    if (this.#socket.closed) return
    this.#cancelClose()
    this.#cancelClose = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.destroy())
  }

  #ended(end: CarrierEnd): void {
    if (this.#socket.destroyed) this.#cancelClose()
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#end = this.#fault ?? end
    this.#reader.stop()
    this.#cancelBeat()
    this.#cancelHold?.()
    this.#handler?.closed(this.#end)
  }

  readonly #beat = (): void => {
    const { bytesRead: received, writableLength: waiting } = this.#socket
    // Nothing is read while it is held: silence proves nothing.
    if (this.#cancelHold !== undefined) this.#liveness.heard(this.#clock.now())
    const reason = this.#liveness.beat(this.#clock.now(), { received, left: this.sentBytes - waiting, waiting })
    if (reason !== undefined) {
      this.#ended({ code: ABNORMAL, reason })
      this.#socket.destroy()
      return
    }
    this.#sendPing()
    this.#cancelBeat = this.#clock.after(this.#liveness.nextBeatMs, this.#beat)
  }

  #sendPing(): void {
    if (this.#state !== 'open') return
    // A ping that is still unanswered keeps its time: the next pong is its own.
    this.#pingSentAt ??= this.#clock.now()
    this.#write(Opcode.PING, EMPTY, NO_REST, false)
  }

  #ponged(): void {
    this.pongs++
    const now = this.#clock.now()
    this.#liveness.heard(now)
    // Of one that nobody has asked for, there may be as few as of pings.
    if (this.#pingSentAt === undefined) return this.#spared(now)
    this.heartbeatMs = now - this.#pingSentAt
    this.#pingSentAt = undefined
  }

  /** A flood of pings must not become an unbounded queue of pongs. */
  #pinged(payload: Buffer): void {
    const now = this.#clock.now()
    this.#liveness.heard(now)
    this.#spared(now)
    if (this.#state === 'open') this.#write(Opcode.PONG, payload, NO_REST, false)
  }

  #spared(now: number): void {
    if (!this.#pings.take(now)) this.close(new TunnelError('LIMIT', '').close, 'too many pings')
  }
}
