/**
 * A carrier over one WebSocket, for both ends: limits, heartbeat, close codes. The only place below the gateway's
 * upgrade that knows `ws`.
 */
import type { ClientOptions, ServerOptions, WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { MAX_MESSAGE_BYTES, truncateUtf8 } from '../wire/message.ts'
import { type Carrier, type CarrierEnd, type CarrierHandler, HIGH_WATER_BYTES, LOW_WATER_BYTES } from './carrier.ts'

/**
 * Options of `ws` for both ends. Compression is off: the payload is mostly TLS or already compressed, and deflate would
 * queue pings behind data. `maxFragments` and `maxBufferedChunks` bound what tiny fragments may cost.
 */
export const websocketOptions = {
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  maxFragments: 2,
  maxBufferedChunks: 1024,
  autoPong: false,
  skipUTF8Validation: true,
  allowSynchronousEvents: true,
  /** How long a closing handshake may take before the socket is destroyed, in milliseconds. */
  closeTimeout: 2_000,
} as const satisfies ServerOptions & ClientOptions & { closeTimeout: number }

/** Where masking protects nobody, over TLS and on loopback, a zero mask saves both ends the XOR (docs/decisions/0004). */
export const zeroMask = (mask: Buffer): void => {
  mask.fill(0)
}

export interface HeartbeatOptions {
  readonly intervalMs: number
  /** Silence, in which not one byte arrived, after which the carrier is dead. */
  readonly deadMs: number
}

export interface WebSocketCarrierOptions {
  readonly clock: Clock
  readonly heartbeat?: HeartbeatOptions
  /** The socket under the WebSocket: part of a large message, on a slow link, is a sign of life too. */
  readonly transport?: { readonly bytesRead: number }
}

export const defaultHeartbeat: HeartbeatOptions = { intervalMs: 15_000, deadMs: 40_000 }

/** RFC 6455, 5.5: a control frame holds 125 bytes, the code takes two. `ws` throws above it. */
const MAX_CLOSE_REASON_BYTES = 123
/** A peer may ping this often; faster than that is a flood. */
const MIN_PING_GAP_MS = 1_000
const MAX_EARLY_PINGS = 20
/** A beat that comes this much later than it should. */
const LATE_BEAT_MS = 5_000

export class WebSocketCarrier implements Carrier {
  bufferedBytes = 0
  heartbeatMs: number | undefined
  pongs = 0
  readonly #socket: WebSocket
  readonly #clock: Clock
  readonly #heartbeat: HeartbeatOptions
  readonly #transport: { readonly bytesRead: number } | undefined
  #handler: CarrierHandler | undefined
  #end: CarrierEnd | undefined
  #full = false
  #lastHeardAt: number
  /** Of the transport, at the last beat. */
  #bytesRead = 0
  #lastBeatAt: number
  #pingSentAt: number | undefined
  #lastPingAt = Number.NEGATIVE_INFINITY
  #pingBudget = MAX_EARLY_PINGS
  #cancelBeat: () => void

  /** @param socket open, with no message read from it yet: call this in the same turn in which it opened */
  constructor(socket: WebSocket, options: WebSocketCarrierOptions) {
    this.#socket = socket
    this.#transport = options.transport
    this.#clock = options.clock
    this.#heartbeat = options.heartbeat ?? defaultHeartbeat
    this.#lastHeardAt = this.#clock.now()
    this.#lastBeatAt = this.#lastHeardAt
    socket.binaryType = 'nodebuffer'
    socket.on('error', error => this.#failed(error))
    socket.on('close', (code, reason) => this.#closed({ code, reason: reason.toString('utf8') }))
    socket.on('ping', data => this.#pinged(data))
    socket.on('pong', () => this.#ponged())
    // Nothing is read until somebody listens; the kernel holds what the peer sends meanwhile.
    socket.pause()
    this.#cancelBeat = this.#clock.after(this.#heartbeat.intervalMs, this.#beat)
  }

  start(handler: CarrierHandler): void {
    this.#handler = handler
    if (this.#end !== undefined) return handler.closed(this.#end)
    this.#socket.on('message', (data, isBinary) => {
      if (this.#end !== undefined) return
      this.#lastHeardAt = this.#clock.now()
      if (isBinary) handler.message(data as Buffer)
      else this.close(1003, 'text messages are not spoken here')
    })
    this.#socket.resume()
    // The first beat gives the first leg's round-trip time before anybody asks for it.
    this.#sendPing()
  }

  send(message: Buffer): void {
    if (this.#end !== undefined || this.#socket.readyState !== this.#socket.OPEN) return
    const bytes = message.length
    this.bufferedBytes += bytes
    if (this.bufferedBytes >= HIGH_WATER_BYTES) this.#full = true
    this.#socket.send(message, () => this.#sent(bytes))
  }

  close(code: number, reason: string): void {
    if (this.#end !== undefined) return
    this.#socket.close(code, truncateUtf8(reason, MAX_CLOSE_REASON_BYTES))
  }

  terminate(): void {
    if (this.#end === undefined) this.#socket.terminate()
  }

  probe(): void {
    this.#sendPing()
  }

  #sent(bytes: number): void {
    this.bufferedBytes -= bytes
    if (!this.#full || this.bufferedBytes >= LOW_WATER_BYTES) return
    this.#full = false
    if (this.#end === undefined) this.#handler?.drain()
  }

  readonly #beat = (): void => {
    const { bytesRead = 0 } = this.#transport ?? {}
    if (bytesRead > this.#bytesRead) this.#lastHeardAt = Math.max(this.#lastHeardAt, this.#lastBeatAt)
    this.#bytesRead = bytesRead
    const now = this.#clock.now()
    // This process stood still: what came meanwhile has not been read yet, so silence proves nothing.
    if (now - this.#lastBeatAt > this.#heartbeat.intervalMs + LATE_BEAT_MS) this.#lastHeardAt = now
    this.#lastBeatAt = now
    const silentMs = this.#lastBeatAt - this.#lastHeardAt
    if (silentMs >= this.#heartbeat.deadMs) {
      this.#closed({ code: 1006, reason: `nothing was heard for ${Math.round(silentMs / 1000)} s` })
      this.#socket.terminate()
      return
    }
    this.#sendPing()
    const untilDeadMs = this.#heartbeat.deadMs - silentMs
    this.#cancelBeat = this.#clock.after(Math.min(this.#heartbeat.intervalMs, untilDeadMs), this.#beat)
  }

  #sendPing(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    // A ping that is still unanswered keeps its time: the next pong is its own.
    this.#pingSentAt ??= this.#clock.now()
    this.#socket.ping()
  }

  #ponged(): void {
    this.pongs++
    this.#lastHeardAt = this.#clock.now()
    if (this.#pingSentAt === undefined) return
    this.heartbeatMs = this.#lastHeardAt - this.#pingSentAt
    this.#pingSentAt = undefined
  }

  /** Own answer in place of `autoPong`: a flood of pings must not become an unbounded queue of pongs. */
  #pinged(data: Buffer): void {
    const now = this.#clock.now()
    this.#lastHeardAt = now
    const gapMs = now - this.#lastPingAt
    this.#lastPingAt = now
    this.#pingBudget = Math.min(MAX_EARLY_PINGS, this.#pingBudget + gapMs / MIN_PING_GAP_MS) - 1
    if (this.#pingBudget < 0) return this.close(new TunnelError('LIMIT', '').close, 'too many pings')
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.pong(data)
  }

  /** `ws` closes with the right RFC 6455 code after a malformed frame; what else fails here is a dead connection. */
  #failed(error: Error): void {
    if (this.#end === undefined && this.#socket.readyState !== this.#socket.CLOSING) this.#socket.terminate()
    this.#closed({ code: 1006, reason: error.message })
  }

  #closed(end: CarrierEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#cancelBeat()
    this.#handler?.closed(end)
  }
}
