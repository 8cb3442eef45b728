/** A gateway's relay between ends whose bytes are the test's. */
import assert from 'node:assert/strict'
import { type MemoryLink, memoryLink } from '../../src/carrier/memory.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Hop } from '../../src/gateway/hop.ts'
import { defaultGatewayLimits, type GatewayLimits } from '../../src/gateway/limits.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import { BatchBuilder } from '../../src/wire/batch.ts'
import { decodeDetach, encodeAttachment, encodeJson, Kind, kindOf, routeOf } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { principal, WorldGateway } from '../support/world.ts'

/** An end whose bytes are the test's. */
export interface Raw {
  readonly hop: Hop
  readonly carriers: MemoryLink
  readonly received: Buffer[]
  readonly ends: { code: number; reason: string }[]
  send(message: Buffer): void
}

export class Bench {
  readonly clock = new VirtualClock()
  readonly gateway: WorldGateway

  constructor(limits: Partial<GatewayLimits> = {}) {
    this.gateway = new WorldGateway(this.clock, { ...defaultGatewayLimits, ...limits })
  }

  raw(role: 'agent' | 'connect', changes: Partial<Principal> = {}): Raw {
    const carriers = memoryLink({ clock: this.clock })
    const received: Buffer[] = []
    const ends: { code: number; reason: string }[] = []
    carriers.a.start({ message: message => received.push(message), drain: () => {}, closed: end => ends.push(end) })
    const hop = this.gateway.accept(carriers.b, principal(role, changes))
    carriers.a.send(encodeJson(Kind.HELLO, { role, software: 'test' }))
    this.run()
    return { hop, carriers, received, ends, send: message => carriers.a.send(message) }
  }

  run(): void {
    this.clock.advanceSync(0)
  }

  /** A client and an agent whose routes are joined; each has received nothing since. */
  joined(route = 5): { client: Raw; agent: Raw; agentRoute: number } {
    const agent = this.raw('agent')
    const client = this.raw('connect')
    client.send(attach(route))
    this.run()
    const agentRoute = routeOf(agent.received.at(-1) as Buffer)
    agent.received.length = 0
    client.received.length = 0
    return { client, agent, agentRoute }
  }
}

export const attach = (
  route: number,
  json: Record<string, unknown> = { agent: 'home', key: 'k', maxInflight: 1 },
): Buffer => encodeAttachment(Kind.ATTACH, route, { epoch: 1, sessionId: Buffer.alloc(16, route), expected: 0, json })

export function batch(route: number, ...frames: [type: number, stream: number, payload?: Buffer][]): Buffer {
  const builder = new BatchBuilder()
  for (const [type, stream, payload] of frames) builder.add(type, stream, payload ?? null)
  return builder.encode(route, 0, 0)
}

export function refusal(message: Buffer | undefined): string {
  assert.ok(message)
  assert.equal(kindOf(message), Kind.DETACH)
  const { code, reason, final } = decodeDetach(message)
  return `${routeOf(message)} ${final ? 'final' : 'not final'} ${TunnelError.fromWire(code, reason).code}`
}
