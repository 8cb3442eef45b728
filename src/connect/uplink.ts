/**
 * Connect's way up: keeps one session to one agent, over one carrier after another. Its session is there from the
 * start and at all times, so a stream can always be opened; while no carrier lives, the stream waits.
 */

import { backoffMs } from '../carrier/backoff.ts'
import type { Carrier } from '../carrier/carrier.ts'
import { reconnect } from '../carrier/reconnect.ts'
import { type Clock, delay } from '../clock.ts'
import { asTunnelError, type ErrorCode, TunnelError } from '../errors.ts'
import { Initiator } from '../mux/initiator.ts'
import type { SessionLimits } from '../mux/limits.ts'
import { Link } from '../mux/link.ts'
import type { PingStatistics } from '../mux/ping.ts'
import type { Stream } from '../mux/stream.ts'
import type { LinkState } from './events.ts'

export interface UplinkOptions {
  /** Undefined: the one agent that the token allows and that is connected. */
  readonly agent?: string
  readonly software: string
  /** Opens a carrier to the gateway; the token is read again for each dial. */
  readonly dialGateway: (signal: AbortSignal) => Promise<Carrier>
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly randomBytes: (bytes: number) => Buffer
  readonly pingIntervalMs: number
  /** How long a stream that was opened without a carrier waits for one. */
  readonly holdMs: number
  readonly limits?: SessionLimits
  readonly events: UplinkEvents
  readonly trace?: (transition: string) => void
}

export interface UplinkEvents {
  /** A session is attached: the first one, or a new one after the old was lost. */
  connected(agent: string): void
  /** The session is attached again; its streams go on. */
  resumed(gapMs: number): void
  disconnected(error: TunnelError): void
  /** The session could not be resumed: its streams were reset. */
  sessionLost(error: TunnelError): void
}

/** What no further dial with the same token and program will change. */
const hopeless: ReadonlySet<ErrorCode> = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'VERSION', 'USAGE', 'TOKEN_FILE'])

export class Uplink {
  readonly #options: UplinkOptions
  #initiator: Initiator | undefined
  #agent: string | undefined
  #link: Link | undefined
  #everConnected = false
  #sessionWasAttached = false
  #lostAt: number | undefined
  /** When the next dial starts, while waiting for it. */
  #nextTry: { readonly at: number; readonly reason: string } | undefined
  #wakeDetached: () => void = () => {}
  #resumes = 0
  /** This process ends the session itself: nothing of it is news. */
  #ending = false

  constructor(options: UplinkOptions) {
    this.#options = options
    this.#agent = options.agent
  }

  get agent(): string {
    return this.#agent ?? ''
  }

  get resumes(): number {
    return this.#resumes
  }

  get ping(): PingStatistics | undefined {
    return this.#initiator?.session.ping.statistics
  }

  /** Resolves when the agent has everything that was sent, or after `atMostMs`. */
  async delivered(atMostMs: number): Promise<void> {
    await this.#atMost(atMostMs, this.#initiator?.session.delivered())
  }

  /** Resolves when the next ping is answered, or after `atMostMs`. */
  async nextPing(atMostMs: number): Promise<void> {
    await this.#atMost(atMostMs, this.#initiator?.session.ping.next())
  }

  /** Round-trip time to the gateway alone. */
  get gatewayMs(): number | undefined {
    return this.#link?.heartbeatMs
  }

  get state(): LinkState {
    const session = this.#initiator?.session
    if (session?.state === 'live') return { name: 'connected' }
    if (!this.#everConnected) return { name: 'connecting' }
    const now = this.#options.clock.now()
    const forMs = this.#lostAt === undefined ? 0 : now - this.#lostAt
    if (this.#nextTry === undefined) return { name: 'resuming', forMs, streamsHeld: session?.streams.size ?? 0 }
    return { name: 'offline', forMs, nextTryMs: Math.max(0, this.#nextTry.at - now), reason: this.#nextTry.reason }
  }

  /**
   * Opens a stream to the agent. Without a carrier it waits for one, at most `holdMs`.
   * @throws TunnelError LIMIT, or GATEWAY_UNREACHABLE before the first connection
   */
  open(json: object): Stream {
    const { clock, holdMs } = this.#options
    const session = this.#initiator?.session
    if (session === undefined) throw new TunnelError('GATEWAY_UNREACHABLE', 'not connected yet')
    const stream = session.open(json)
    if (session.state !== 'live') {
      const cancel = clock.after(holdMs, () => {
        if (session.state !== 'live') stream.reset(new TunnelError('GATEWAY_UNREACHABLE', heldTooLong(holdMs)))
      })
      stream.once('close', cancel)
      stream.once('opened', cancel)
    }
    return stream
  }

  /**
   * Connects and stays connected until `signal` aborts.
   * @throws TunnelError when the first connection fails, or a later one for a reason that will not pass
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const links = reconnect({
      clock,
      random,
      signal,
      dial: dialSignal => this.#greet(dialSignal),
      onRetry: (delayMs, failure) => this.#retry(delayMs, failure),
    })
    for await (const link of links) {
      const leave = () => {
        this.#ending = true
        this.#initiator?.close(new TunnelError('SESSION_CLOSED', 'connect has ended'))
        link.close('connect has ended')
      }
      signal.addEventListener('abort', leave, { once: true })
      if (signal.aborted) leave()
      this.#link = link
      try {
        await this.#ride(link, signal)
      } finally {
        signal.removeEventListener('abort', leave)
        this.#link = undefined
        link.close('connect has ended')
      }
    }
  }

  async #greet(signal: AbortSignal): Promise<Link> {
    this.#nextTry = undefined
    const carrier = await this.#options.dialGateway(signal)
    return await Link.greet(carrier, {
      clock: this.#options.clock,
      hello: { role: 'connect', software: this.#options.software },
    })
  }

  #retry(delayMs: number, failure: TunnelError | undefined): void {
    if (failure === undefined) return
    this.#giveUpOn(failure)
    this.#nextTry = { at: this.#options.clock.now() + delayMs, reason: failure.message }
  }

  /** Attaches over `link`, again and again while the agent comes and goes behind it, until the link ends. */
  async #ride(link: Link, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    let linkEnded = false
    void link.ended.then(() => {
      linkEnded = true
    })
    const agent = this.#chooseAgent(link)
    for (let attempt = 0; !signal.aborted && !linkEnded; attempt++) {
      this.#initiator ??= this.#newSession(agent)
      this.#nextTry = undefined
      try {
        const detached = new Promise<void>(resolve => {
          this.#wakeDetached = resolve
        })
        await this.#initiator.attach(link)
        attempt = 0
        this.#attached(agent)
        await Promise.race([link.ended, detached])
      } catch (thrown) {
        if (signal.aborted) return
        const error = asTunnelError(thrown)
        this.#giveUpOn(error)
        const delayMs = backoffMs(attempt, random())
        this.#nextTry = { at: clock.now() + delayMs, reason: error.message }
        await Promise.race([link.ended, delay(clock, delayMs, signal)])
      }
    }
  }

  #chooseAgent(link: Link): string {
    if (this.#agent !== undefined) return this.#agent
    const { agents } = link.welcome
    const names = Array.isArray(agents) ? agents.filter(name => typeof name === 'string') : []
    const [only] = names
    if (only === undefined) {
      throw new TunnelError('AGENT_UNAVAILABLE', 'no agent that the token allows is connected to the gateway')
    }
    if (names.length > 1) {
      throw new TunnelError('USAGE', `the token allows several connected agents: ${names.slice(0, 10).join(', ')}`, {
        hint: 'choose one with --agent NAME',
      })
    }
    this.#agent = only
    return only
  }

  #newSession(agent: string): Initiator {
    const { clock, pingIntervalMs, randomBytes, limits, trace } = this.#options
    this.#sessionWasAttached = false
    const initiator: Initiator = new Initiator({
      agent,
      clock,
      pingIntervalMs,
      randomBytes,
      ...(limits && { limits }),
      ...(trace && { trace }),
      onDetached: error => this.#detached(error),
      onClosed: error => {
        if (this.#ending) return
        // A later stream belongs to a new session; compare, for a newer one may be there already.
        if (this.#initiator === initiator) this.#initiator = this.#newSession(agent)
        this.#detached(error)
        // Otherwise it is thrown out of `run`, and told once.
        if (!this.#isFatal(error)) this.#options.events.sessionLost(error)
      },
    })
    return initiator
  }

  #attached(agent: string): void {
    const { clock, events } = this.#options
    const gapMs = this.#lostAt === undefined ? 0 : clock.now() - this.#lostAt
    const resumed = this.#sessionWasAttached
    this.#everConnected = true
    this.#sessionWasAttached = true
    this.#lostAt = undefined
    if (resumed) {
      this.#resumes++
      events.resumed(gapMs)
    } else events.connected(agent)
  }

  #detached(error: TunnelError): void {
    if (this.#lostAt === undefined && this.#everConnected) {
      this.#lostAt = this.#options.clock.now()
      this.#options.events.disconnected(error)
    }
    this.#wakeDetached()
  }

  async #atMost(ms: number, happening: Promise<void> | undefined): Promise<void> {
    const happened = new AbortController()
    await Promise.race([happening, delay(this.#options.clock, ms, happened.signal)])
    // A timer left behind would keep the process that long after its work is done.
    happened.abort()
  }

  #giveUpOn(error: TunnelError): void {
    if (this.#isFatal(error)) throw error
  }

  #isFatal({ code }: TunnelError): boolean {
    return !this.#everConnected || hopeless.has(code)
  }
}

const heldTooLong = (holdMs: number): string => `no connection to the gateway for ${Math.round(holdMs / 1000)} s`
