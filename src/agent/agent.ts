/**
 * The agent role: keeps one carrier to the gateway, accepts the sessions that come over it, and dials for each of their
 * streams. Sessions outlive the carrier.
 */
import { Reconnect } from '../carrier/reconnect.ts'
import { delay, waitAtMost } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Acceptor, type Refusal } from '../mux/acceptor.ts'
import type { DetachedLimits } from '../mux/detached.ts'
import { defaultLimits, type SessionLimits } from '../mux/limits.ts'
import type { Link, Welcome } from '../mux/link.ts'
import { Links, type LinksOptions, type MoveReason } from '../mux/links.ts'
import { SessionMemory } from '../mux/memory.ts'
import { Stall } from '../mux/stall.ts'
import type { Log } from '../observe/log.ts'
import type { Metric } from '../observe/metrics.ts'
import type { Dialer } from './dialer.ts'
import { type AgentLimits, defaultAgentLimits } from './limits.ts'
import { agentMetrics } from './metrics.ts'
import { type CatalogueChange, type CatalogueState, catalogueMessages, changeMessages } from './publish.ts'
import { Rivals } from './rivals.ts'
import { ServedStreams } from './served.ts'

export interface AgentOptions
  extends Pick<LinksOptions, 'dialGateway' | 'clock' | 'wallNow' | 'random' | 'redialEveryMs'> {
  /** The name in the agent's token. */
  readonly name: string
  /** Tells this process from others of the same name: random. */
  readonly instance: string
  /** Of processes that share the sessions of one name. Absent: this one shares with nobody. */
  readonly group?: string
  readonly software: string
  readonly dialer: Pick<Dialer, 'dial' | 'dialUdp'>
  /** What is published to those who may see it. Absent: nothing. */
  readonly catalogue?: () => CatalogueState
  readonly log: Log
  /** How long streams may take to end once `run` is asked to end. */
  readonly drainTimeoutMs: number
  /** Cuts a drain short, also one that has not begun. */
  readonly endNow?: AbortSignal
  readonly limits?: AgentLimits
  readonly sessionLimits?: Omit<SessionLimits, 'maxStreams'>
  readonly detached?: DetachedLimits
}

/** So often, for an agent that only receives learns by this alone that nothing comes any more. */
const PING_INTERVAL_MS = 5_000
/** A gateway that answers heartbeats is never this late. */
const SILENT_MS = 4_000
/** What is cut is closed before this. */
const CUT_MS = 500
/** After the last stream of a drain, the other ends take its last bytes. */
const DELIVERY_MS = 2_000

export class Agent {
  readonly #options: AgentOptions
  readonly #log: Log
  readonly #acceptor: Acceptor
  readonly #served: ServedStreams
  readonly #links: Links
  readonly #rivals: Rivals
  readonly #stall: Stall
  /** Ends what `run` does; it comes after the drain. */
  readonly #end = new AbortController()
  #reconnect: Reconnect<Link> | undefined
  #everRegistered = false
  #refusals = 0
  #draining = false
  #moving: MoveReason | undefined
  #failure: TunnelError | undefined
  /** Streams that did not end in the time of the drain; undefined until that is over. */
  #cut: number | undefined
  #wake: () => void = () => {}

  constructor(options: AgentOptions) {
    const { clock, log, name, instance, group, software, limits = defaultAgentLimits, detached } = options
    const { sessionLimits = defaultLimits } = options
    this.#options = options
    this.#log = log
    this.#rivals = new Rivals(clock)
    this.#served = new ServedStreams(options.dialer, log, clock, limits)
    this.#acceptor = new Acceptor({
      clock,
      agent: name,
      instance,
      pingIntervalMs: PING_INTERVAL_MS,
      limits: { ...sessionLimits, maxStreams: limits.streamsPerSession },
      maxSessions: limits.sessions,
      maxSessionsPerSubject: limits.sessionsPerSubject,
      memory: new SessionMemory(clock, limits),
      ...(detached && { detached }),
      onRefused: (why, subject) => this.#refused(why, subject),
      onOpen: (stream, open, by) => void this.#served.serve(stream, open, by),
      trace: transition => log.debug('session', { transition }),
    })
    this.#stall = new Stall({
      clock,
      look: () => this.#acceptor.look(),
      stalled: () => void this.#stalled(),
      recovered: () => {},
    })
    this.#links = new Links({
      ...options,
      hello: () => ({
        role: 'agent',
        software,
        instance,
        ...(group !== undefined && { group }),
        ...(this.#draining && { draining: true }),
      }),
      onAttach: (link, route, message) => this.#acceptor.attach(link, route, message),
      onNews: news => this.#news(news),
      move: reason => this.#move(reason),
      ended: error => {
        if (!this.#end.signal.aborted) log.warn('disconnected', { error })
        this.#wake()
      },
    })
  }

  /** Tells the gateway what of `services` is different. Another gateway is told all of it when this agent registers there. */
  publish(change: CatalogueChange): void {
    for (const message of changeMessages(change)) this.#links.current?.send(message)
  }

  get registered(): boolean {
    return this.#links.current !== undefined && !this.#draining
  }

  /**
   * Registers and serves until `signal` aborts; comes back by itself after every loss. Then it takes no new streams, and
   * resolves when the old ones have ended.
   * @throws TunnelError when the gateway refuses the very first registration for good, when another process keeps taking
   *   this agent's place, or GONE when streams were cut at the end of the drain
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const onRetry = (delayMs: number, failure?: TunnelError) => this.#retry(delayMs, failure)
    const end = this.#end.signal
    this.#reconnect = new Reconnect({ clock, random, signal: end, dial: hurried => this.#links.dial(hurried), onRetry })
    const drain = () => void this.#drain()
    signal.addEventListener('abort', drain, { once: true })
    if (signal.aborted) drain()
    this.#links.start()
    this.#stall.start()
    try {
      for await (const link of this.#reconnect) {
        this.#adopt(link)
        await this.#untilNeeded()
      }
    } finally {
      signal.removeEventListener('abort', drain)
      this.#stall.stop()
      this.#acceptor.close(new TunnelError('SESSION_CLOSED', 'the agent has stopped'))
      this.#links.close('the agent has stopped')
    }
    if (this.#cut !== undefined) await this.#sayStopped(this.#cut)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The last line, behind those of the streams that were cut. */
  async #sayStopped(cut: number): Promise<void> {
    const { clock } = this.#options
    const deadline = clock.now() + CUT_MS
    while (this.#served.open > 0 && clock.now() < deadline) await delay(clock, CUT_MS / 50)
    this.#log.info('stopped', { cut })
  }

  metrics(): Metric[] {
    return agentMetrics({
      acceptor: this.#acceptor,
      served: this.#served,
      registered: () => this.registered,
      refusals: () => this.#refusals,
    })
  }

  #retry(delayMs: number, failure?: TunnelError): void {
    if (failure === undefined) return
    if (!this.#everRegistered && !failure.retryable) throw failure
    this.#log.warn(this.#links.current ? 'cannot move' : 'cannot register', { error: failure, nextTryMs: delayMs })
  }

  #adopt(link: Link): void {
    const { name, instance } = this.#options
    const reason = this.#moving
    this.#moving = undefined
    this.#everRegistered = true
    for (const message of catalogueMessages(this.#options.catalogue?.() ?? { services: [] })) link.send(message)
    const old = this.#links.adopt(link)
    const why = reason === undefined ? {} : { reason }
    this.#log.info('registered', { agent: name, instance, gateway: link.software, ...why })
    // From a gateway that drains, the sessions go one by one; any other has lost them to the new carrier already.
    if (reason === 'drain') old?.closeWhenIdle('moved to another gateway')
    else old?.close('moved to another carrier')
  }

  /** Resolves when another link is wanted, or all is over. */
  async #untilNeeded(): Promise<void> {
    const isNeeded = () => this.#links.current === undefined || this.#moving !== undefined || this.#end.signal.aborted
    await new Promise<void>(resolve => {
      this.#wake = () => {
        if (isNeeded()) resolve()
      }
      this.#wake()
    })
  }

  #move(reason: MoveReason): void {
    if (this.#moving !== undefined && reason !== 'sleep') return
    this.#moving = reason
    this.#reconnect?.hurry()
    this.#wake()
  }

  /** A session that has expired is nothing special; whoever knows half of one that exists is. */
  #refused(why: Refusal, subject: string): void {
    this.#refusals++
    if (why === 'unknown session') this.#log.info('resume refused', { why, subject })
    else this.#log.warn('resume refused', { why, subject })
  }

  /** Another process of this name has registered: it gets the new sessions. */
  #news({ superseded }: Welcome): void {
    if (typeof superseded !== 'string') return
    this.#log.warn('superseded', { by: superseded })
    if (this.#rivals.lostTo(superseded)) {
      this.#failure ??= new TunnelError(
        'SUPERSEDED',
        `another process keeps registering as agent ${this.#options.name} with the same token`,
        { retryable: false, hint: 'run one agent for each name, or give each its own token' },
      )
      this.#finish()
    }
  }

  /**
   * Sessions that wait for answers say little of this end's carrier: their clients may be asleep. So the gateway is asked, and a
   * carrier over which it does not answer gets a successor beside it.
   */
  async #stalled(): Promise<void> {
    const link = this.#links.current
    if (link === undefined || this.#moving !== undefined) return
    const answers = await link.answers(SILENT_MS, this.#end.signal)
    if (!answers && this.#links.current === link && !this.#end.signal.aborted) this.#move('stall')
  }

  async #drain(): Promise<void> {
    const { clock, drainTimeoutMs, endNow } = this.#options
    const deadline = new AbortController()
    const cut = () => deadline.abort()
    this.#draining = true
    this.#acceptor.drain()
    this.#served.drain()
    this.#links.current?.drain()
    endNow?.addEventListener('abort', cut, { once: true })
    if (endNow?.aborted) cut()
    const cancel = clock.after(drainTimeoutMs, cut)
    if (this.#served.open > 0 && !deadline.signal.aborted) {
      this.#log.info('draining', { streams: this.#served.open, timeoutMs: drainTimeoutMs })
    }
    while (this.#served.open > 0 && !deadline.signal.aborted) await delay(clock, 50, deadline.signal)
    cancel()
    const cutStreams = this.#served.open
    if (cutStreams === 0) await waitAtMost(clock, DELIVERY_MS, this.#acceptor.delivered())
    else
      this.#failure ??= new TunnelError('GONE', `connections that were cut: ${cutStreams}`, {
        hint: 'after SIGTERM they have the time of --drain-timeout to end, after any other signal none',
      })
    this.#cut = cutStreams
    this.#finish()
  }

  #finish(): void {
    this.#end.abort()
    this.#wake()
  }
}
