/**
 * A whole world in one thread: a connect end, a gateway's relay and an agent end, over carriers in memory and a clock
 * that stands still. Principals are made by hand; everything else is the product.
 */
import { createHash } from 'node:crypto'
import { type MemoryCarrier, type MemoryLink, memoryLink } from '../../src/carrier/memory.ts'
import type { Clock } from '../../src/clock.ts'
import type { Hop } from '../../src/gateway/hop.ts'
import { defaultGatewayLimits, type GatewayLimits } from '../../src/gateway/limits.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import { Reception } from '../../src/gateway/reception.ts'
import type { Relay } from '../../src/gateway/relay.ts'
import { Acceptor, type AcceptorOptions } from '../../src/mux/acceptor.ts'
import { Initiator, type InitiatorOptions } from '../../src/mux/initiator.ts'
import { Link } from '../../src/mux/link.ts'
import { parsePattern } from '../../src/net/pattern.ts'
import type { Target } from '../../src/net/target.ts'
import { nullLog } from '../../src/observe/log.ts'
import { VirtualClock } from './clock.ts'

export const AGENT = 'home'
export const INSTANCE = 'instance-of-home'

export const target: Target = { service: 'api', namespace: 'prod', port: 8080, protocol: 'tcp' }

export function principal(role: 'agent' | 'connect', changes: Partial<Principal> = {}): Principal {
  return {
    role,
    subject: role === 'agent' ? 'agent-of-home' : 'alice',
    agents: [AGENT],
    allow: [parsePattern('*/prod:*')],
    expiresAt: Number.MAX_SAFE_INTEGER,
    tokenId: 'one',
    ...changes,
  }
}

/** A gateway without its door. */
export class WorldGateway {
  readonly opened: string[] = []
  readonly hops: Hop[] = []
  readonly reception: Reception

  constructor(clock: Clock, limits: GatewayLimits = defaultGatewayLimits) {
    const note = (event: string, fields?: object) => {
      const [, verdict] = /^open (\w+)$/.exec(event) ?? []
      if (verdict === undefined || fields === undefined || !('target' in fields)) return
      this.opened.push(`${String(fields.target).split('/')[0]} ${verdict}`)
    }
    const log = { ...nullLog, debug: note, info: note, warn: note }
    this.reception = new Reception({ software: 'test', clock, wallNow: () => clock.now(), log, limits })
  }

  get relay(): Relay {
    return this.reception.relay
  }

  get overloads(): number {
    return this.reception.totals.overloads
  }

  accept(carrier: MemoryCarrier, who: Principal): Hop {
    const hop = this.reception.greet(carrier, who)
    this.hops.push(hop)
    return hop
  }

  /** Routes that exist on any carrier. */
  get legs(): number {
    let legs = 0
    for (const { legs: own } of this.relay.hops) legs += own.size
    return legs
  }
}

export interface Path {
  readonly link: Link
  readonly hop: Hop
  readonly carriers: MemoryLink
}

export interface WorldOptions {
  readonly latencyMs?: number
  readonly acceptor?: Partial<AcceptorOptions>
}

export class World {
  readonly clock = new VirtualClock()
  readonly acceptor: Acceptor
  gateway: WorldGateway
  readonly #latencyMs: number
  #carriers: MemoryLink[] = []
  #randomCalls = 0

  constructor(options: WorldOptions = {}) {
    this.#latencyMs = options.latencyMs ?? 0
    this.gateway = new WorldGateway(this.clock)
    this.acceptor = new Acceptor({
      clock: this.clock,
      agent: AGENT,
      instance: INSTANCE,
      onOpen: stream => stream.accept(8080),
      ...options.acceptor,
    })
  }

  initiator(options: Partial<InitiatorOptions> = {}): Initiator {
    return new Initiator({
      agent: AGENT,
      clock: this.clock,
      // Not random, but different each time.
      randomBytes: bytes =>
        createHash('sha256')
          .update(`${this.#randomCalls++}`)
          .digest()
          .subarray(0, bytes),
      ...options,
    })
  }

  /** A carrier to the gateway for an agent; resolves when it is registered. */
  agentPath(changes: Partial<Principal> = {}): Promise<Path> {
    return this.settle(this.dialAgent(changes))
  }

  /** A carrier to the gateway for a connect end. */
  clientPath(changes: Partial<Principal> = {}): Promise<Path> {
    return this.settle(this.dial(principal('connect', changes)))
  }

  /** As `agentPath`, while somebody else moves the clock. */
  dialAgent(changes: Partial<Principal> = {}): Promise<Path> {
    return this.dial(principal('agent', changes), (link, route, message) => this.acceptor.attach(link, route, message))
  }

  async dial(who: Principal, onAttach?: (link: Link, route: number, message: Buffer) => void): Promise<Path> {
    const carriers = memoryLink({ clock: this.clock, latencyMs: this.#latencyMs })
    this.#carriers.push(carriers)
    const hop = this.gateway.accept(carriers.b, who)
    const hello = { role: who.role, software: 'test', ...(who.role === 'agent' && { instance: INSTANCE }) }
    const link = await Link.greet(carriers.a, { clock: this.clock, hello, ...(onAttach && { onAttach }) })
    return { link, hop, carriers }
  }

  /** An agent, a client, and a session that is live between them. */
  async joined(options: Partial<InitiatorOptions> = {}): Promise<{ agent: Path; client: Path; initiator: Initiator }> {
    const agent = await this.agentPath()
    const client = await this.clientPath()
    const initiator = this.initiator(options)
    await this.settle(initiator.attach(client.link))
    return { agent, client, initiator }
  }

  /** The gateway is killed: every carrier is cut, and another one, which knows nothing, takes its place. */
  killGateway(): void {
    const carriers = this.#carriers
    this.#carriers = []
    this.gateway = new WorldGateway(this.clock)
    for (const each of carriers) each.cut()
  }

  /** Lets time pass until `work` is done, at most a minute. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let done = false
    const finished = work.finally(() => {
      done = true
    })
    finished.catch(() => {})
    const end = this.clock.now() + 60_000
    await this.clock.runUntilIdle()
    while (!done && this.clock.fire(end)) await this.clock.runUntilIdle()
    if (!done) throw new Error('nothing moves any more, and the work is not done')
    return await finished
  }
}
