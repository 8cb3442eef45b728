/** The streams that the agent serves: each is joined to a connection of its own to the service. */

import { setMaxListeners } from 'node:events'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { isMeasure, MAX_MEASURES } from '../net/measure.ts'
import { splice } from '../net/splice.ts'
import { formatTarget, type Target, targetFromJson } from '../net/target.ts'
import type { Log } from '../observe/log.ts'
import { type Open, Verdict } from '../wire/frame.ts'
import type { Dialer } from './dialer.ts'
import { serveMeasure } from './measure.ts'
import { joinUdp } from './udp.ts'

/** One for all: making an error, with its stack, for every stream that ends would cost more than the stream. */
const GONE = new TunnelError('GONE', 'the stream was closed before the service answered')

/** Whoever measures for longer has forgotten it, and keeps others from it. */
const MEASURE_MS = 60_000

export class ServedStreams {
  /** Streams that have not ended, those included whose service is being dialled. */
  open = 0
  /** Streams that reached a service, and those that did not. */
  opened = 0
  failed = 0
  /** Of streams that have ended. */
  bytesToServices = 0
  bytesFromServices = 0
  readonly #dialer: Pick<Dialer, 'dial' | 'dialUdp'>
  readonly #log: Log
  readonly #clock: Clock
  #draining = false
  #measuring = 0

  constructor(dialer: Pick<Dialer, 'dial' | 'dialUdp'>, log: Log, clock: Clock) {
    this.#dialer = dialer
    this.#log = log
    this.#clock = clock
  }

  /** Resets every stream that is opened from now on. */
  drain(): void {
    this.#draining = true
  }

  /** One stream, from OPEN to its end. Never throws: what fails here ends this stream alone. */
  async serve(stream: Stream, open: Open, subject: string): Promise<void> {
    const gone = new AbortController()
    setMaxListeners(0, gone.signal)
    const leave = () => gone.abort(GONE)
    stream.once('close', leave)
    let described = 'malformed'
    this.open++
    try {
      const target = targetFromJson(open.json)
      described = formatTarget(target)
      if (this.#draining) throw new TunnelError('DRAINING', 'the agent is shutting down')
      if (open.verdict !== Verdict.ALLOWED) throw new TunnelError('DENIED', `the token does not allow ${described}`)
      const join = isMeasure(target) ? this.#measure() : await this.#dial(target, gone.signal)
      stream.off('close', leave)
      this.opened++
      await join(stream)
      this.bytesToServices += stream.bytesReceived
      this.bytesFromServices += stream.bytesSent
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.failed++
      if (!stream.destroyed) this.#log.warn('open failed', { subject, target: described, error })
      stream.reset(error)
    } finally {
      this.open--
    }
  }

  #measure(): (stream: Stream) => Promise<void> {
    if (this.#measuring >= MAX_MEASURES) throw new TunnelError('LIMIT', 'others are measuring', { hint: '' })
    this.#measuring++
    return async stream => {
      const cancel = this.#clock.after(MEASURE_MS, () => stream.reset(new TunnelError('LIMIT', 'it takes too long')))
      try {
        await serveMeasure(stream)
      } finally {
        cancel()
        this.#measuring--
      }
    }
  }

  /** What joins the stream to the service that was reached. */
  async #dial(target: Target, signal: AbortSignal): Promise<(stream: Stream) => Promise<void>> {
    if (target.protocol === 'udp') {
      const { socket, port } = await this.#dialer.dialUdp(target, signal)
      return async stream => {
        stream.accept(port)
        await joinUdp(socket, stream)
      }
    }
    const { socket, port } = await this.#dialer.dial(target, signal)
    return async stream => {
      stream.accept(port)
      await splice(socket, stream, 'the service')
    }
  }
}
