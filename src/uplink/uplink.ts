/**
 * The way up of whoever opens streams, connect and the gateway's ingress: keeps one session to one agent, over one carrier after
 * another. Its session is always there, so a stream can always be opened; while no carrier serves, the stream waits.
 * A successor is dialled when the carrier has ended, and beside a carrier that may still serve when the session stalls, this
 * machine was asleep, the gateway drains, or somebody asks for it. The session moves in one step, when the successor is
 * attached; until then it stays where it is.
 */
import { Reconnect } from '../carrier/reconnect.ts'
import { asTunnelError, type ErrorCode, TunnelError } from '../errors.ts'
import { Initiator } from '../mux/initiator.ts'
import type { Link } from '../mux/link.ts'
import { Links, type LinksOptions, type MoveReason } from '../mux/links.ts'
import type { Session } from '../mux/session.ts'
import type { SessionOptions } from '../mux/session-options.ts'
import { Stall } from '../mux/stall.ts'
import type { Stream } from '../mux/stream.ts'
import { onlyAgent } from './choice.ts'
import { Hold } from './hold.ts'
import { Outage } from './outage.ts'
import type { LinkState, UplinkEvents, UplinkPing } from './state.ts'

export interface UplinkOptions
  extends Pick<LinksOptions, 'dialGateway' | 'clock' | 'wallNow' | 'random' | 'redialEveryMs'>,
    Pick<SessionOptions, 'limits' | 'memory'> {
  /** Undefined: the one agent that the token allows and that is connected. */
  readonly agent?: string
  readonly software: string
  readonly randomBytes: (bytes: number) => Buffer
  readonly pingIntervalMs: number
  /** How long what was opened or accepted without a carrier waits for one. */
  readonly holdMs: number
  readonly events: UplinkEvents
}

/** What no further dial with the same token and program will change. */
const hopeless: ReadonlySet<ErrorCode> = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'VERSION', 'USAGE', 'TOKEN_FILE'])
/** A carrier that answers may stay when there is no other. With any other reason it is left, whatever is asked meanwhile. */
const mayStay: ReadonlySet<MoveReason> = new Set(['asked', 'schedule', 'stall'])
/** After this many refusals another carrier is tried: behind a load balancer it may lead to where the agent is. */
const MAX_REFUSALS = 3
/** A session that is lost sooner than this after it was attached is not attached again at once. */
const BREATH_MS = 1_000
/** From here on an answer that does not come is shown, before it counts as a stall. */
const SILENT_MS = 1_500

export class Uplink {
  readonly #options: UplinkOptions
  /** Empty until the first connection, when the user has named none. */
  agent: string
  /** What waits for the next time that it serves. */
  readonly hold: Hold
  readonly #stall: Stall
  readonly outage: Outage
  /** Its link is the one that the session is attached to, or over which the next attempt is made. */
  readonly #links: Links
  #reconnect: Reconnect<void> | undefined
  #initiator: Initiator | undefined
  #moving: MoveReason | undefined
  /** Attempts that failed in a row. */
  #refusals = 0
  #wake: () => void = () => {}
  #everConnected = false
  #sessionWasAttached = false
  /** This process ends the session itself: nothing of it is news. */
  #ending = false

  constructor(options: UplinkOptions) {
    const { agent = '', clock, holdMs, software } = options
    this.#options = options
    this.agent = agent
    this.outage = new Outage(clock)
    this.#links = new Links({
      ...options,
      hello: () => ({ role: 'connect', software }),
      onNews: () => this.#agentCame(),
      move: reason => this.move(reason),
      ended: () => this.#wake(),
    })
    this.hold = new Hold({ clock, holdMs, why: () => this.#heldTooLong() })
    this.#stall = new Stall({
      clock,
      look: () => this.session?.look(),
      stalled: silentMs => this.#stalled(silentMs),
      recovered: () => void this.#recovered(),
    })
  }

  get ping(): UplinkPing {
    const gatewayMs = this.#links.current?.heartbeatMs
    const statistics = this.session?.ping.statistics
    return { recentMs: [], ...statistics, ...(gatewayMs !== undefined && { gatewayMs }) }
  }

  /** The session of the moment. */
  get session(): Session | undefined {
    return this.#initiator?.session
  }

  /** The session is attached, and the agent answers. */
  get serves(): boolean {
    return this.session?.state === 'live' && !this.#stall.isStalled
  }

  get state(): LinkState {
    const { silentMs } = this.#stall
    if (this.serves) return silentMs < SILENT_MS ? { name: 'connected' } : { name: 'silent', forMs: silentMs }
    if (!this.#everConnected) return { name: 'connecting' }
    const opened = [...(this.session?.streams.values() ?? [])].filter(each => each.opened)
    return this.outage.state(opened.length + this.hold.size)
  }

  /**
   * Opens a stream to the agent. Without a carrier it waits for one, at most `holdMs`.
   * @throws TunnelError LIMIT, or GATEWAY_UNREACHABLE before the first connection
   */
  open(json: object): Stream {
    if (this.session === undefined) throw new TunnelError('GATEWAY_UNREACHABLE', 'not connected yet')
    const stream = this.session.open(json)
    if (!this.serves) this.hold.addStream(stream)
    return stream
  }

  /** Dials another carrier now, whatever the present one is like, and goes over to it. */
  move(reason: MoveReason): void {
    if (this.#ending) return
    // Asks for an answer, too: if none comes, the session is known to have stalled soon.
    if (reason === 'sleep') this.session?.ping.start()
    if (this.#moving === undefined || mayStay.has(this.#moving)) this.#moving = reason
    this.#reconnect?.hurry()
    this.#wake()
  }

  /**
   * Connects and stays connected until `signal` aborts.
   * @throws TunnelError when the first connection fails, or a later one for a reason that will not pass
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const onRetry = (delayMs: number, failure?: TunnelError) => this.#retry(delayMs, failure)
    this.#reconnect = new Reconnect({ clock, random, signal, dial: hurried => this.#next(hurried), onRetry })
    const leave = () => {
      this.#ending = true
      this.#stall.stop()
      this.hold.clear()
      this.#initiator?.close(new TunnelError('SESSION_CLOSED', 'connect has ended'))
      this.#links.close('connect has ended')
      this.#wake()
    }
    signal.addEventListener('abort', leave, { once: true })
    this.#links.start()
    this.#stall.start()
    try {
      for await (const _attached of this.#reconnect) await this.#untilNeeded()
    } finally {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }

  /** One attempt to have the session attached: over the carrier that is there, if it may stay, else over a new one. */
  async #next(hurried: AbortSignal): Promise<void> {
    this.outage.trying()
    const reason = this.#moving
    let link: Link | undefined
    try {
      link = (reason === undefined ? this.#links.current : undefined) ?? (await this.#links.dial(hurried))
      this.agent ||= onlyAgent(link.welcome)
      this.#initiator ??= this.#newSession()
      await this.#initiator.attach(link, hurried)
      this.#links.adopt(link)?.close('moved to another carrier')
      this.#attached(reason)
    } catch (thrown) {
      const error = asTunnelError(thrown)
      if (link !== undefined) this.#leaveOrKeep(link, error)
      if (this.session?.state === 'detached') this.#lost(error)
      this.outage.gatewayAway = link === undefined
      const stays = this.serves && reason !== undefined && mayStay.has(reason)
      if (hurried.aborted || !stays) throw error
      this.#moving = undefined
      if (reason === 'asked') this.#options.events.notMoved(error)
    }
  }

  /** The session could not be attached over `link`. The next attempt may use it again, if there is reason to hope. */
  #leaveOrKeep(link: Link, error: TunnelError): void {
    this.#refusals++
    if (error.code === 'AGENT_SILENT') link.terminate()
    else if (this.#refusals % MAX_REFUSALS === 0) link.close('the agent is not here')
    else this.#links.keep(link)
  }

  /** Resolves when another attempt is to be made. */
  async #untilNeeded(): Promise<void> {
    const { clock } = this.#options
    const since = clock.now()
    const isNeeded = () => this.#ending || this.#moving !== undefined || this.session?.state !== 'live'
    await new Promise<void>(resolve => {
      this.#wake = () => {
        if (isNeeded()) resolve()
      }
      this.#wake()
    })
    // The carrier is good and only the route was lost: nothing is dialled, so there is nothing to wait for, but for a breath.
    if (this.#links.current !== undefined && clock.now() - since >= BREATH_MS) this.#reconnect?.hurry()
  }

  /** The gateway tells that an agent has come: perhaps the one that was not there. An attempt under way is not disturbed. */
  #agentCame(): void {
    if (!this.serves && this.outage.isWaiting) this.#reconnect?.hurry()
  }

  #retry(delayMs: number, failure?: TunnelError): void {
    if (failure === undefined) return
    if (this.#isFatal(failure) && !this.serves) throw failure
    this.outage.waiting(delayMs, failure.message)
  }

  #newSession(): Initiator {
    const { clock, pingIntervalMs, randomBytes, limits, memory } = this.#options
    this.#sessionWasAttached = false
    const initiator: Initiator = new Initiator({
      agent: this.agent,
      clock,
      pingIntervalMs,
      randomBytes,
      ...(limits && { limits }),
      ...(memory && { memory }),
      onDetached: error => {
        this.#stall.forget()
        // The agent has taken the move that is under way; its answer comes over the other carrier.
        if (error.code !== 'SUPERSEDED' || this.#moving === undefined) this.#lost(error)
        this.#wake()
      },
      onClosed: (error, streams) => {
        if (this.#ending) return
        // A later stream belongs to a new session; compare, for a newer one may be there already.
        if (this.#initiator === initiator) this.#initiator = this.#newSession()
        this.#stall.forget()
        this.#lost(error)
        // What is fatal is thrown out of `run`, and told once. Without a stream nobody has lost anything.
        if (streams > 0 && !this.#isFatal(error)) this.#options.events.sessionLost(error)
        this.#wake()
      },
    })
    return initiator
  }

  #attached(reason: MoveReason | undefined): void {
    const { events } = this.#options
    const known = this.#sessionWasAttached
    this.#moving = undefined
    this.#refusals = 0
    this.#everConnected = true
    this.#sessionWasAttached = true
    this.#stall.forget()
    if (!known) {
      this.outage.end()
      events.connected(this.agent, this.#links.current?.software ?? '')
      this.hold.release()
    } else if (!this.#recovered() && reason !== undefined) events.moved(reason)
  }

  /** The session goes on. Returns false when it was not lost. */
  #recovered(): boolean {
    if (!this.serves) return false
    const gapMs = this.outage.end()
    if (gapMs === undefined) return false
    this.outage.resumes++
    this.#options.events.resumed(gapMs)
    this.hold.release()
    return true
  }

  /** Nothing can be sent any more, or nothing was answered for `silentMs`. */
  #lost(error: TunnelError, silentMs = 0): void {
    if (!this.#everConnected || !this.outage.begin(silentMs, error.code !== 'ROUTE_LOST')) return
    this.#options.events.disconnected(error)
    for (const stream of this.session?.streams.values() ?? []) {
      if (!stream.opened) this.hold.addStream(stream)
    }
  }

  #stalled(silentMs: number): void {
    if (this.#ending) return
    this.session?.ping.distrust()
    this.#lost(new TunnelError('IDLE', `no answer for ${Math.round(silentMs / 1000)} s`), silentMs)
    // A dial that is under way is not cut short: it may be slow for the same reason.
    if (this.#moving === undefined) this.move('stall')
  }

  #heldTooLong(): TunnelError {
    const { gatewayAway } = this.outage
    const text = `no connection to the ${gatewayAway ? 'gateway' : 'agent'} for ${Math.round(this.#options.holdMs / 1000)} s`
    return new TunnelError(gatewayAway ? 'GATEWAY_UNREACHABLE' : 'AGENT_UNAVAILABLE', text)
  }

  #isFatal({ code }: TunnelError): boolean {
    return !this.#everConnected || hopeless.has(code)
  }
}
