/**
 * The gateway between its door and its relay: greets each authenticated carrier, hands it to the relay, and sees it off - when
 * its token has expired, and when the gateway drains. It knows carriers, and not where they come from.
 */
import type { Carrier } from '../carrier/carrier.ts'
import { type Clock, delay } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import { formatTarget } from '../net/target.ts'
import type { Log } from '../observe/log.ts'
import { checkHeader, decodeJson, encodeJson, HOP_ROUTE, Kind, kindOf, routeOf, violation } from '../wire/message.ts'
import { Hop } from './hop.ts'
import { defaultGatewayLimits, type GatewayLimits } from './limits.ts'
import type { GatewayTotals } from './metrics.ts'
import type { Principal } from './principal.ts'
import { Relay, type RelayEvents } from './relay.ts'
import { Shares } from './shares.ts'

export interface ReceptionOptions {
  /** Told to the ends in WELCOME, for their logs and terminals. */
  readonly software: string
  readonly clock: Clock
  /** Milliseconds since 1970, for the expiry of tokens. */
  readonly wallNow: () => number
  readonly log: Log
  readonly limits?: GatewayLimits
  /** Asked once more when HELLO comes. Absent: nobody is. */
  readonly isRevoked?: (principal: Principal) => boolean
}

const MAX_AGENTS_TOLD = 64
/** A token may be this much over its time before its carrier is ended: clocks differ. */
export const EXPIRY_GRACE_MS = 60_000
/** So long before, its end is asked to come with a new one, if it has one then. */
const EXPIRY_NOTICE_MS = 45_000
/** An agent's own name for its process. */
const INSTANCE = /^[\w-]{1,64}$/
const GROUP = /^[\w./-]{1,128}$/
/** Ends are asked to leave one after another, at this distance, within these shares of the time there is; agents first. */
const LEAVE_GAP_MS = 20
const AGENTS_SHARE = 0.2
const CLIENTS_SHARE = 0.6
/** After the last agent was asked, so that clients find it where they go. */
const AGENTS_AHEAD_MS = 500
const DRAIN_LOOK_MS = 50

export class Reception {
  readonly relay: Relay
  readonly totals: GatewayTotals = {
    receivedBytes: 0,
    sentBytes: 0,
    opensAllowed: 0,
    opensDenied: 0,
    refused: 0,
    overloads: 0,
  }
  readonly #options: ReceptionOptions
  readonly #log: Log
  /** Carriers that have not said HELLO yet; the relay does not know them. */
  readonly #arriving = new Set<Carrier>()
  readonly #limits: GatewayLimits
  readonly #shares: Shares
  #draining = false
  #allEnded: () => void = () => {}

  constructor(options: ReceptionOptions) {
    this.#options = options
    this.#log = options.log
    this.#limits = options.limits ?? defaultGatewayLimits
    this.#shares = new Shares(options.clock, this.#limits)
    const events: RelayEvents = {
      opened: (leg, stream, target, { allowed, rule = 'none' }) => {
        if (allowed) this.totals.opensAllowed++
        else this.totals.opensDenied++
        const { hop, session, peer } = leg
        const { subject, tokenId } = hop.principal
        const agent = peer?.hop.principal.agents[0]
        const fields = { subject, tokenId, agent, target: formatTarget(target), rule, session, stream }
        if (!allowed) this.#log.warn('open denied', fields)
        // Of the ingress there is a line for each request, with who it was.
        else if (hop.local) this.#log.debug('open allowed', fields)
        else this.#log.info('open allowed', fields)
      },
      attached: ({ hop, session }, agent) => {
        const { subject, tokenId } = hop.principal
        this.#log.info('attached', { subject, tokenId, agent, session })
      },
      superseded: (hop, by) => this.#log.warn('superseded', { ...identity(hop), by }),
      overloaded: hop => {
        this.totals.overloads++
        this.#log.warn('route overloaded', { subject: hop.principal.subject })
      },
    }
    this.relay = new Relay(events, this.#limits)
  }

  /** Carriers that are here, but for those of this process. */
  get carriers(): number {
    return this.#arriving.size + this.#guests().length
  }

  #guests(): Hop[] {
    return [...this.relay.hops].filter(({ local }) => !local)
  }

  /** As `Shares.admit`. */
  admit(principal: Principal): void {
    this.#shares.admit(principal)
  }

  /**
   * Waits for HELLO on `carrier`, which was authenticated as `principal`, and hands it to the relay until it ends.
   * @param local its other end is in this process
   */
  greet(carrier: Carrier, principal: Principal, local = false): Hop {
    const { clock } = this.#options
    const { memory } = this.relay
    const share = local ? undefined : this.#shares.came(principal)
    const pace = principal.role === 'connect' ? share?.pace : undefined
    const hop = new Hop(carrier, principal, { local, memory, ...(pace && { pace }) })
    let greeted = false
    this.#arriving.add(carrier)
    const tooLate = new TunnelError('IDLE', 'no HELLO came in time')
    const cancel = clock.after(this.#limits.arrivalMs, () => carrier.close(tooLate.close, tooLate.message))
    carrier.start({
      message: (message, rest) => {
        if (greeted) return this.relay.message(hop, message, rest)
        greeted = true
        cancel()
        this.#arriving.delete(carrier)
        this.#hello(hop, message)
      },
      drain: () => hop.drain(),
      closed: ({ code, reason }) => {
        cancel()
        this.#arriving.delete(carrier)
        this.totals.receivedBytes += hop.receivedBytes
        this.totals.sentBytes += hop.sentBytes
        this.relay.remove(hop)
        share?.left()
        if (greeted) this.#log.info('disconnected', { ...identity(hop), code, reason })
        if (this.carriers === 0) this.#allEnded()
      },
    })
    return hop
  }

  /** Ends the carriers of those whose token has expired. Whose token expires soon is asked, once, to come with a new one. */
  endExpired(): void {
    this.#shares.sweep()
    for (const hop of [...this.relay.hops]) {
      const leftMs = this.#leftMs(hop)
      if (leftMs <= -EXPIRY_GRACE_MS) {
        this.#log.warn('token expired', identity(hop))
        // Whoever comes back in time with a new one finds its sessions.
        hop.carrier.close(new TunnelError('UNAUTHENTICATED', '').close, 'the token has expired')
      } else if (leftMs < EXPIRY_NOTICE_MS && !hop.toldOfExpiry) {
        hop.toldOfExpiry = true
        hop.send(encodeJson(Kind.DRAIN, { afterMs: 0, why: 'expiry' }))
      }
    }
  }

  /** Ends the carriers of those of whom `isRevoked` says so. */
  endRevoked(isRevoked: (principal: Principal) => boolean): void {
    for (const hop of this.#guests().filter(({ principal }) => isRevoked(principal))) {
      this.#log.warn('revoked', identity(hop))
      this.relay.expel(hop, new TunnelError('UNAUTHENTICATED', 'the access has been revoked'))
    }
  }

  #leftMs({ principal }: Hop): number {
    return principal.expiresAt - this.#options.wallNow()
  }

  /**
   * Asks every end to leave, each at its own time (docs/protocol.md, "Drain"). Resolves when all have left, after
   * `timeoutMs`, or when `endNow` aborts; not before `busy` says no. The caller lets nobody in meanwhile.
   */
  async drain(timeoutMs: number, endNow: AbortSignal, busy: () => boolean = () => false): Promise<void> {
    const { clock } = this.#options
    this.#draining = true
    const hops = this.#guests()
    const agents = hops.filter(({ principal }) => principal.role === 'agent')
    const clients = hops.filter(({ principal }) => principal.role === 'connect')
    const lastAgentMs = spread(agents, 0, AGENTS_SHARE * timeoutMs)
    const firstClientMs = agents.length === 0 ? 0 : Math.min(lastAgentMs + AGENTS_AHEAD_MS, AGENTS_SHARE * timeoutMs)
    spread(clients, firstClientMs, CLIENTS_SHARE * timeoutMs)
    const deadline = clock.now() + timeoutMs
    const isOver = () => clock.now() >= deadline || endNow.aborted || (this.carriers === 0 && !busy())
    while (!isOver()) await delay(clock, DRAIN_LOOK_MS, endNow)
  }

  /** Ends every carrier: whoever is still here comes back by itself, elsewhere. Resolves when the last one has ended. */
  async close(): Promise<void> {
    const { close } = new TunnelError('DRAINING', '')
    const carriers = [...this.#arriving, ...[...this.relay.hops].map(({ carrier }) => carrier)]
    if (carriers.length === 0) return
    const allEnded = new Promise<void>(resolve => {
      this.#allEnded = resolve
    })
    for (const carrier of carriers) carrier.close(close, 'the gateway is shutting down')
    await allEnded
  }

  #hello(hop: Hop, message: Buffer): void {
    const { carrier, principal } = hop
    try {
      checkHeader(message)
      if (routeOf(message) !== HOP_ROUTE || kindOf(message) !== Kind.HELLO)
        throw violation('the first message is not HELLO')
      if (this.#options.isRevoked?.(principal)) throw new TunnelError('UNAUTHENTICATED', 'the access has been revoked')
      const { software, instance, group, draining } = decodeJson(message)
      hop.instance = typeof instance === 'string' && INSTANCE.test(instance) ? instance : ''
      hop.group = typeof group === 'string' && GROUP.test(group) ? group : ''
      hop.draining = draining === true
      hop.toldOfExpiry = this.#leftMs(hop) < EXPIRY_NOTICE_MS
      this.relay.add(hop, this.#welcome(principal))
      if (principal.role === 'agent') this.#tellWaiting(principal.agents[0])
      // It was let in before the drain began, and nobody has asked it yet.
      if (this.#draining) spread([hop], 0, 0)
      this.#log.info('connected', { ...identity(hop), software: typeof software === 'string' ? software : '' })
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#log.warn('refused', { ...identity(hop), error })
      carrier.close(error.close, error.message)
    }
  }

  /** Clients that were refused because of this agent need not find out by asking again and again. */
  #tellWaiting(agent: string | undefined): void {
    for (const hop of this.relay.hops) {
      if (hop.awaits === undefined || hop.awaits !== agent) continue
      hop.awaits = undefined
      hop.send(encodeJson(Kind.WELCOME, this.#welcome(hop.principal)))
    }
  }

  #welcome(principal: Principal): object {
    const { software } = this.#options
    if (principal.role === 'agent') return { software }
    return { software, agents: this.relay.registry.visibleTo(principal).slice(0, MAX_AGENTS_TOLD) }
  }
}

/** Sends DRAIN to all, from `firstMs` on, one after another within `withinMs`. Returns when the last one leaves. */
function spread(hops: readonly Hop[], firstMs: number, withinMs: number): number {
  const gapMs = Math.min(LEAVE_GAP_MS, withinMs / Math.max(1, hops.length))
  for (const [index, hop] of hops.entries()) {
    hop.send(encodeJson(Kind.DRAIN, { afterMs: Math.round(firstMs + index * gapMs) }))
  }
  return firstMs + hops.length * gapMs
}

/** Who is behind `hop`, for a line of the log. */
function identity({ principal: { role, subject, agents, tokenId }, instance }: Hop): object {
  return role === 'agent' ? { role, subject, agent: agents[0], instance, tokenId } : { role, subject, tokenId }
}
