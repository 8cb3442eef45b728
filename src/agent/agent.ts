/**
 * The agent role: keeps one carrier to the gateway, accepts the sessions that come over it, and dials for each of their
 * streams. Sessions outlive the carrier.
 */
import { setMaxListeners } from 'node:events'
import type { Carrier } from '../carrier/carrier.ts'
import { reconnect } from '../carrier/reconnect.ts'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import { Acceptor } from '../mux/acceptor.ts'
import type { SessionLimits } from '../mux/limits.ts'
import { Link } from '../mux/link.ts'
import type { Stream } from '../mux/stream.ts'
import { splice } from '../net/splice.ts'
import { formatTarget, targetFromJson } from '../net/target.ts'
import type { Log } from '../observe/log.ts'
import type { Metric } from '../observe/metrics.ts'
import { type Open, Verdict } from '../wire/frame.ts'
import type { Dialer } from './dialer.ts'

export interface AgentOptions {
  /** The name in the agent's token. */
  readonly name: string
  readonly software: string
  /** Opens a carrier to the gateway; the token is read again for each dial. */
  readonly dialGateway: (signal: AbortSignal) => Promise<Carrier>
  readonly dialer: Dialer
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: Log
  readonly limits?: SessionLimits
}

/** One for all: making an error, with its stack, for every stream that ends would cost more than the stream. */
const GONE = new TunnelError('GONE', 'the stream was closed before the service answered')

/** An agent that loses its place to another process this often, within the time below, gives way to it. */
const MAX_SUPERSEDED = 3
const SUPERSEDED_WITHIN_MS = 60_000

export class Agent {
  readonly #options: AgentOptions
  readonly #log: Log
  readonly #acceptor: Acceptor
  #link: Link | undefined
  #everRegistered = false
  #supersededAt: number[] = []
  readonly #totals = { opened: 0, failed: 0, bytesToServices: 0, bytesFromServices: 0 }

  constructor(options: AgentOptions) {
    this.#options = options
    this.#log = options.log
    this.#acceptor = new Acceptor({
      clock: options.clock,
      agent: options.name,
      ...(options.limits && { limits: options.limits }),
      onOpen: (stream, open, subject) => void this.#serve(stream, open, subject),
      trace: transition => this.#log.debug('session', { transition }),
    })
  }

  get registered(): boolean {
    return this.#link !== undefined
  }

  /**
   * Registers and serves until `signal` aborts; comes back by itself after every loss.
   * @throws TunnelError when the gateway refuses the very first registration for good, or another process keeps taking
   *   this agent's place
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const links = reconnect({
      clock,
      random,
      signal,
      dial: dialSignal => this.#register(dialSignal),
      onRetry: (delayMs, failure) => this.#retry(delayMs, failure),
    })
    for await (const link of links) {
      this.#link = link
      this.#everRegistered = true
      this.#log.info('registered', { agent: this.#options.name, gateway: String(link.welcome.software) })
      const leave = () => {
        this.#acceptor.close(new TunnelError('SESSION_CLOSED', 'the agent has stopped'))
        link.close('the agent is shutting down')
      }
      signal.addEventListener('abort', leave, { once: true })
      if (signal.aborted) leave()
      const error = await link.ended
      signal.removeEventListener('abort', leave)
      this.#link = undefined
      if (!signal.aborted) this.#disconnected(error)
    }
    this.#acceptor.close(new TunnelError('SESSION_CLOSED', 'the agent has stopped'))
    this.#log.info('stopped')
  }

  metrics(): Metric[] {
    const totals = this.#totals
    return [
      {
        name: 'registered',
        help: '1 while registered at the gateway',
        kind: 'gauge',
        read: () => Number(this.registered),
      },
      {
        name: 'sessions',
        help: 'Sessions, detached ones included',
        kind: 'gauge',
        read: () => this.#acceptor.sessions,
      },
      { name: 'streams', help: 'Streams open', kind: 'gauge', read: () => this.#acceptor.streams },
      { name: 'streams_total', help: 'Streams that reached a service', kind: 'counter', read: () => totals.opened },
      { name: 'dial_failures_total', help: 'Streams that did not', kind: 'counter', read: () => totals.failed },
      {
        name: 'service_sent_bytes_total',
        help: 'Bytes to services, of streams that have ended',
        kind: 'counter',
        read: () => totals.bytesToServices,
      },
      {
        name: 'service_received_bytes_total',
        help: 'Bytes from services, of streams that have ended',
        kind: 'counter',
        read: () => totals.bytesFromServices,
      },
    ]
  }

  async #register(signal: AbortSignal): Promise<Link> {
    const carrier = await this.#options.dialGateway(signal)
    return await Link.greet(carrier, {
      clock: this.#options.clock,
      hello: { role: 'agent', software: this.#options.software },
      onAttach: (link, route, message) => this.#acceptor.attach(link, route, message),
    })
  }

  #retry(delayMs: number, failure: TunnelError | undefined): void {
    if (failure === undefined) return
    if (!this.#everRegistered && !failure.retryable) throw failure
    this.#log.warn('cannot register', { error: failure, nextTryMs: delayMs })
  }

  #disconnected(error: TunnelError): void {
    this.#log.warn('disconnected', { error })
    if (error.code !== 'SUPERSEDED') return
    const now = this.#options.clock.now()
    this.#supersededAt = [...this.#supersededAt.filter(at => now - at < SUPERSEDED_WITHIN_MS), now]
    if (this.#supersededAt.length < MAX_SUPERSEDED) return
    throw new TunnelError(
      'SUPERSEDED',
      `another process registers as agent ${this.#options.name} with the same token`,
      {
        retryable: false,
        hint: 'run one agent for each name, or give each its own token',
      },
    )
  }

  /** One stream, from OPEN to its end. Never throws: what fails here ends this stream alone. */
  async #serve(stream: Stream, open: Open, subject: string): Promise<void> {
    const gone = new AbortController()
    setMaxListeners(0, gone.signal)
    const leave = () => gone.abort(GONE)
    stream.once('close', leave)
    let described = 'malformed'
    try {
      const target = targetFromJson(open.json)
      described = formatTarget(target)
      if (open.verdict !== Verdict.ALLOWED) throw new TunnelError('DENIED', `the token does not allow ${described}`)
      const { socket, port } = await this.#options.dialer.dial(target, gone.signal)
      stream.off('close', leave)
      this.#totals.opened++
      stream.accept(port)
      await splice(socket, stream, 'the service')
      this.#totals.bytesToServices += stream.bytesReceived
      this.#totals.bytesFromServices += stream.bytesSent
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#totals.failed++
      if (!stream.destroyed) this.#log.warn('open failed', { subject, target: described, error })
      stream.reset(error)
    }
  }
}
