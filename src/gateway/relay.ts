/**
 * The gateway's forwarding of messages from route to route. It holds no stream state: it pairs routes when a session
 * attaches, rewrites four bytes of every message that follows, and reads no further than the frame headers of what
 * clients send, to decide each OPEN.
 *
 * A violation ends the carrier that it came from and nobody else's.
 */
import { asTunnelError, TunnelError } from '../errors.ts'
import { isAgentName } from '../net/claims.ts'
import {
  checkHeader,
  decodeAttachment,
  decodeJson,
  encodeAttachment,
  encodeDetach,
  encodeJson,
  HOP_ROUTE,
  Kind,
  kindOf,
  messageBytes,
  NO_REST,
  routeOf,
  shortId,
  violation,
} from '../wire/message.ts'
import { type Hop, type Leg, longestQueue, QueueMemory } from './hop.ts'
import { defaultGatewayLimits, type GatewayLimits } from './limits.ts'
import { WORK } from './pace.ts'
import { mayUseAgent } from './principal.ts'
import { Registry } from './registry.ts'
import { type VerdictEvents, Verdicts } from './verdict.ts'

export interface RelayEvents extends VerdictEvents {
  attached(leg: Leg, agent: string): void
  /** Another process of the same agent gets the new sessions from now on. */
  superseded(hop: Hop, by: string): void
  /** One route was detached because its receiver took less than its sender sent. */
  overloaded(hop: Hop): void
}

/** The relay forwards only up to HIGH_WATER_BYTES; more is answers of the gateway's own that nobody reads. */
const MAX_UNREAD_BYTES = 1024 * 1024

/** Work that a hop has caused before its pace, and so a clock, is asked: not for every message. */
const SETTLE_AT = 64

export class Relay {
  readonly registry = new Registry()
  /** For the hops that are added. */
  readonly memory = new QueueMemory()
  readonly #events: RelayEvents
  readonly #verdicts: Verdicts
  readonly #limits: Pick<GatewayLimits, 'sessionsPerCarrier' | 'queuedBytes'>
  readonly #hops = new Set<Hop>()

  constructor(
    events: RelayEvents,
    limits: Pick<GatewayLimits, 'sessionsPerCarrier' | 'queuedBytes'> = defaultGatewayLimits,
  ) {
    this.#events = events
    this.#verdicts = new Verdicts(events)
    this.#limits = limits
  }

  get hops(): ReadonlySet<Hop> {
    return this.#hops
  }

  /**
   * Takes over an authenticated carrier whose HELLO was read: registers an agent, answers WELCOME, and relays until the
   * carrier ends. The caller passes the carrier's messages to `message`, its drains to `hop.drain`, its end to `remove`.
   * @throws TunnelError FORBIDDEN when an agent's name is not to be had
   */
  add(hop: Hop, welcome: object): void {
    if (hop.principal.role === 'agent') {
      const [name = ''] = hop.principal.agents
      const { replaced, superseded } = this.registry.register(name, hop)
      if (replaced !== undefined)
        this.#end(replaced, new TunnelError('SUPERSEDED', `agent ${name} has connected again`))
      if (superseded !== undefined) {
        superseded.send(encodeJson(Kind.WELCOME, { ...welcome, superseded: hop.instance }))
        this.#events.superseded(superseded, hop.instance)
      }
    }
    this.#hops.add(hop)
    hop.send(encodeJson(Kind.WELCOME, welcome))
    holdBack(hop)
  }

  /** The carrier has ended: what was attached over it is told to come back over another. */
  remove(hop: Hop): void {
    if (!this.#hops.delete(hop)) return
    const agent = hop.principal.role === 'agent'
    for (const name of hop.principal.agents) if (agent) this.registry.unregister(name, hop)
    // Not AGENT_UNAVAILABLE, which says that the agent has not seen the ATTACH.
    const why = new TunnelError(
      'ROUTE_LOST',
      `the ${agent ? 'agent' : 'client'} has lost its connection to the gateway`,
    )
    for (const leg of [...hop.legs.values()]) this.#unpair(leg, why)
    // Also of retired ones.
    hop.clear()
  }

  /** Closes the carrier of whoever must not come in any more. Sessions of a client are over; those at an agent wait for it to come back. */
  expel(hop: Hop, error: TunnelError): void {
    if (hop.principal.role === 'connect') for (const leg of [...hop.legs.values()]) this.#unpair(leg, error, true)
    this.#end(hop, error)
  }

  /** One message from `hop`. Never throws: a violation closes the carrier. */
  message(hop: Hop, message: Buffer, rest: readonly Buffer[] = NO_REST): void {
    // A carrier that is being closed still delivers what was under way.
    if (!this.#hops.has(hop)) return
    try {
      hop.receivedBytes += messageBytes(message, rest)
      checkHeader(message)
      if (routeOf(message) === HOP_ROUTE) return this.#fromHop(hop, message)
      if (hop.principal.role === 'connect') this.#fromClient(hop, message, rest)
      else this.#fromAgent(hop, message, rest)
    } catch (thrown) {
      this.#end(hop, asTunnelError(thrown))
    }
  }

  #fromHop(hop: Hop, message: Buffer): void {
    if (hop.principal.role !== 'agent') throw violation('a second greeting')
    switch (kindOf(message)) {
      case Kind.DRAIN:
        decodeJson(message)
        hop.draining = true
        return
      case Kind.CATALOGUE:
        return hop.published.apply(decodeJson(message))
      default:
        throw violation('a second greeting')
    }
  }

  #fromClient(hop: Hop, message: Buffer, rest: readonly Buffer[]): void {
    const kind = kindOf(message)
    if (kind === Kind.ATTACH) {
      this.#spend(hop, WORK.attach)
      return this.#attach(hop, message)
    }
    this.#spend(hop, WORK.message)
    const leg = hop.legs.get(routeOf(message))
    // The route was detached while this message was under way.
    if (leg === undefined) return
    switch (kind) {
      case Kind.BATCH:
        this.#spend(hop, this.#verdicts.stamp(leg, message, rest))
        return this.#forward(leg, message, rest)
      case Kind.ACK:
      case Kind.PING:
      case Kind.PONG:
      case Kind.DGRAM:
        return this.#forward(leg, message, rest)
      case Kind.DETACH:
        this.#forward(leg, message, rest)
        return this.#drop(leg)
      default:
        throw violation(`message kind ${kind} from a client`)
    }
  }

  #fromAgent(hop: Hop, message: Buffer, rest: readonly Buffer[]): void {
    const kind = kindOf(message)
    const leg = hop.legs.get(routeOf(message))
    if (leg === undefined) return
    switch (kind) {
      case Kind.BATCH:
      case Kind.ACK:
      case Kind.PING:
      case Kind.PONG:
      case Kind.DGRAM:
      case Kind.ATTACHED:
        return this.#forward(leg, message, rest)
      case Kind.DETACH:
        this.#forward(leg, message, rest)
        return this.#drop(leg)
      default:
        throw violation(`message kind ${kind} from an agent`)
    }
  }

  /** Pairs a new route of a client with a new one of the agent's. Who asks is what the gateway says, not the client. */
  #attach(hop: Hop, message: Buffer): void {
    const route = routeOf(message)
    if (hop.legs.has(route)) throw violation(`route ${route} is attached already`)
    const { json, ...attachment } = decodeAttachment(message)
    if (hop.carrier.bufferedBytes > MAX_UNREAD_BYTES) throw new TunnelError('LIMIT', 'answers are not read')
    try {
      if (hop.heldLegs >= this.#limits.sessionsPerCarrier)
        throw new TunnelError('LIMIT', `${hop.heldLegs} sessions are attached`)
      const agent = this.#agentFor(hop, json)
      const near = hop.addLeg(route)
      const far = agent.openLeg()
      near.peer = far
      far.peer = near
      const { key, proof, maxInflight } = json
      const credential = key === undefined ? { proof } : { key }
      const rewritten = { ...credential, maxInflight, subject: hop.principal.subject }
      near.session = shortId(attachment.sessionId)
      this.#events.attached(near, agent.principal.agents[0] ?? '')
      agent.forward(far, encodeAttachment(Kind.ATTACH, far.route, { ...attachment, json: rewritten }))
    } catch (thrown) {
      const { wire, retryable, message: reason } = asTunnelError(thrown)
      hop.send(encodeDetach(route, { final: !retryable, code: wire, retryMs: 0, reason }))
    }
  }

  /** The agent's carrier for a new session, or that of the process which holds the session. */
  #agentFor(hop: Hop, { agent: name, instance }: Record<string, unknown>): Hop {
    const { principal } = hop
    if (typeof name !== 'string' || !isAgentName(name)) throw violation('ATTACH names no agent')
    if (!mayUseAgent(principal, name)) {
      throw new TunnelError(
        'FORBIDDEN',
        `the token does not allow agent ${name}: it allows ${principal.agents.join(', ')}`,
      )
    }
    const holder = typeof instance === 'string' ? instance : undefined
    const agent = this.registry.find(name, holder)
    hop.awaits = agent === undefined ? name : undefined
    if (agent !== undefined) return agent
    if (this.registry.find(name) !== undefined)
      throw new TunnelError('INSTANCE_AWAY', `the agent ${name} that is connected does not hold this session`)
    const here = this.registry.visibleTo(principal).slice(0, 5)
    const instead = here.length === 0 ? 'no agent that the token allows is' : `connected: ${here.join(', ')}`
    throw new TunnelError('AGENT_UNAVAILABLE', `agent ${name} is not connected to the gateway (${instead})`)
  }

  /** What `hop` sends from now on waits, if it has caused too much. */
  #spend(hop: Hop, work: number): void {
    hop.work += work
    if (hop.work < SETTLE_AT || hop.pace === undefined) return
    const waitMs = hop.pace.spend(hop.work)
    hop.work = 0
    // All carriers of the subject: otherwise each could cause as much once more.
    if (waitMs > 0) for (const each of this.#hops) if (each.pace === hop.pace) holdBack(each)
  }

  #forward({ peer: to }: Leg, message: Buffer, rest: readonly Buffer[]): void {
    if (to === undefined) return
    if (!to.hop.forward(to, message, rest)) this.#overload(to, 'more is under way on this route than it may')
    else if (this.memory.bytes > this.#limits.queuedBytes) this.#relieve()
  }

  #relieve(): void {
    const leg = longestQueue(this.#hops)
    if (leg !== undefined) this.#overload(leg, 'the gateway holds too much for those who do not take it')
  }

  #overload(leg: Leg, why: string): void {
    const error = new TunnelError('OVERLOAD', why)
    const { hop, peer } = leg
    this.#events.overloaded(hop)
    // Retired: its DETACH is on the way already.
    if (peer === undefined) return hop.discardLeg(leg)
    this.#unpair(peer, error)
    peer.hop.send(detachOf(error, peer.route))
  }

  /** Ends a pairing; the far end is told why, and comes back by itself. */
  #unpair(leg: Leg, error: TunnelError, final = false): void {
    const { peer } = leg
    leg.hop.removeLeg(leg)
    if (peer === undefined) return
    peer.peer = undefined
    peer.hop.removeLeg(peer)
    peer.hop.send(detachOf(error, peer.route, final))
  }

  /** Ends a pairing after one side's DETACH, which may still be queued towards the other. */
  #drop(leg: Leg): void {
    const { peer } = leg
    leg.hop.removeLeg(leg)
    if (peer === undefined) return
    peer.peer = undefined
    peer.hop.retireLeg(peer)
  }

  #end(hop: Hop, error: TunnelError): void {
    hop.carrier.close(error.close, error.message)
    this.remove(hop)
  }
}

/** While its subject has caused too much, over whichever carrier. */
function holdBack({ pace, carrier }: Hop): void {
  if (pace !== undefined && pace.waitMs > 0) carrier.hold(pace.waitMs, () => pace.waitMs)
}

function detachOf(error: TunnelError, route: number, final = false): Buffer {
  return encodeDetach(route, { final, code: error.wire, retryMs: 0, reason: error.message })
}
