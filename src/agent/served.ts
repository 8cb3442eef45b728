/** The streams that the agent serves: each is joined to a connection of its own to the service. */

import { setMaxListeners } from 'node:events'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Opener } from '../mux/acceptor.ts'
import { tooManyStreams } from '../mux/limits.ts'
import type { Stream } from '../mux/stream.ts'
import { formatHostPort } from '../net/listen.ts'
import { isMeasure, MAX_MEASURES } from '../net/measure.ts'
import { splice } from '../net/splice.ts'
import { formatTarget, type Target, targetFromJson } from '../net/target.ts'
import type { Log } from '../observe/log.ts'
import { type Open, Verdict } from '../wire/frame.ts'
import { DialQueue } from './dial-queue.ts'
import type { Dialer } from './dialer.ts'
import type { AgentLimits } from './limits.ts'
import { serveMeasure } from './measure.ts'
import { joinUdp } from './udp.ts'
import { TOO_VAIN, VainStreams } from './vain.ts'

/** One for all: making an error, with its stack, for every stream that ends would cost more than the stream. */
const GONE = new TunnelError('GONE', 'the stream was closed before the service answered')

/** Whoever measures for longer has forgotten it, and keeps others from it. */
const MEASURE_MS = 60_000

/** A service that has accepted. */
interface Reached {
  /** The target, as text. */
  readonly target: string
  /** What was dialled. */
  readonly address: string
  /** Joins the stream to it, until both have ended. */
  readonly join: (stream: Stream) => Promise<void>
}

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
  readonly #dials: DialQueue
  readonly #vain: VainStreams
  readonly #perSubject: number
  /** Streams that have not ended, by subject. */
  readonly #streams = new Map<string, number>()
  #draining = false
  #measuring = 0

  constructor(dialer: Pick<Dialer, 'dial' | 'dialUdp'>, log: Log, clock: Clock, limits: AgentLimits) {
    this.#dialer = dialer
    this.#log = log
    this.#clock = clock
    this.#dials = new DialQueue(limits.dialsPerTarget)
    this.#vain = new VainStreams(clock, limits.vainPerSecond)
    this.#perSubject = limits.streamsPerSubject
  }

  /** Resets every stream that is opened from now on. */
  drain(): void {
    this.#draining = true
  }

  /** One stream, from OPEN to its end. Never throws: what fails here ends this stream alone. */
  async serve(stream: Stream, open: Open, by: Opener): Promise<void> {
    const { subject } = by
    const streams = this.#streams.get(subject) ?? 0
    if (streams >= this.#perSubject) return stream.reset(tooManyStreams({ maxStreams: streams }))
    this.#streams.set(subject, streams + 1)
    this.open++
    const who = { ...by, stream: stream.id }
    try {
      const joined = await this.#reach(stream, open, who)
      if (joined !== undefined) await this.#join(stream, joined, who)
    } finally {
      this.open--
      const left = (this.#streams.get(subject) ?? 1) - 1
      if (left > 0) this.#streams.set(subject, left)
      else this.#streams.delete(subject)
    }
  }

  /** What joins the stream to its service. Undefined when that is not to be had: the stream is reset then. */
  async #reach(stream: Stream, open: Open, who: Opener & { readonly stream: number }): Promise<Reached | undefined> {
    const { subject } = who
    const gone = new AbortController()
    setMaxListeners(0, gone.signal)
    const leave = () => gone.abort(GONE)
    stream.once('close', leave)
    let target = 'malformed'
    try {
      const asked = this.#asked(open, subject)
      target = formatTarget(asked)
      const ticket = this.#vain.check(subject, target)
      if (this.#draining) throw new TunnelError('DRAINING', 'the agent is shutting down')
      if (open.verdict !== Verdict.ALLOWED) throw new TunnelError('DENIED', `the token does not allow ${target}`)
      const reached = isMeasure(asked) ? this.#measure() : await this.#dial(asked, subject, gone.signal)
      stream.off('close', leave)
      this.#vain.reached(subject, target, ticket)
      return { target, ...reached }
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.failed++
      if (error !== TOO_VAIN && error.code !== 'DRAINING') this.#vain.add(subject, target)
      if (error !== TOO_VAIN && !stream.destroyed) this.#log.warn('open failed', { ...who, target, error })
      stream.reset(error)
      return undefined
    }
  }

  async #join(stream: Stream, { join, address, target }: Reached, who: object): Promise<void> {
    const openedAt = this.#clock.now()
    this.opened++
    this.#log.info('stream opened', { ...who, target, address })
    await join(stream)
    const { bytesReceived: bytesUp, bytesSent: bytesDown, errored } = stream
    this.bytesToServices += bytesUp
    this.bytesFromServices += bytesDown
    const ms = Math.round(this.#clock.now() - openedAt)
    const code = errored === null ? {} : { code: asTunnelError(errored).code }
    this.#log.info('stream closed', { ...who, target, bytesUp, bytesDown, ms, ...code })
  }

  /** @throws TunnelError BAD_TARGET, or TOO_VAIN when there were too many of those */
  #asked({ json }: Open, subject: string): Target {
    try {
      return targetFromJson(json)
    } catch (error) {
      this.#vain.check(subject, 'malformed')
      throw error
    }
  }

  #measure(): Pick<Reached, 'join' | 'address'> {
    if (this.#measuring >= MAX_MEASURES) throw new TunnelError('LIMIT', 'others are measuring', { hint: '' })
    this.#measuring++
    const join = async (stream: Stream) => {
      const cancel = this.#clock.after(MEASURE_MS, () => stream.reset(new TunnelError('LIMIT', 'it takes too long')))
      try {
        await serveMeasure(stream)
      } finally {
        cancel()
        this.#measuring--
      }
    }
    return { join, address: 'the agent' }
  }

  async #dial(target: Target, subject: string, signal: AbortSignal): Promise<Pick<Reached, 'join' | 'address'>> {
    const done = await this.#dials.turn(subject, formatTarget(target), signal)
    try {
      // Much may have happened while it waited.
      signal.throwIfAborted()
      return target.protocol === 'udp' ? await this.#dialUdp(target, signal) : await this.#dialTcp(target, signal)
    } finally {
      done()
    }
  }

  async #dialTcp(target: Target, signal: AbortSignal): Promise<Pick<Reached, 'join' | 'address'>> {
    const { socket, port } = await this.#dialer.dial(target, signal)
    const join = async (stream: Stream) => {
      stream.accept(port)
      await splice(socket, stream, 'the service')
    }
    return { join, address: formatHostPort({ host: socket.remoteAddress ?? '', port }) }
  }

  async #dialUdp(target: Target, signal: AbortSignal): Promise<Pick<Reached, 'join' | 'address'>> {
    const { socket, port } = await this.#dialer.dialUdp(target, signal)
    const join = async (stream: Stream) => {
      stream.accept(port)
      await joinUdp(socket, stream)
    }
    return { join, address: formatHostPort({ host: socket.remoteAddress().address, port }) }
  }
}
