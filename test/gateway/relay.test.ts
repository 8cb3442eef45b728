import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { encodeOpen, FrameType, Verdict, walkFrames } from '../../src/wire/frame.ts'
import {
  decodeAttachment,
  encodeAck,
  encodeDetach,
  encodeJson,
  encodePing,
  Kind,
  kindOf,
  routeOf,
} from '../../src/wire/message.ts'
import { target } from '../support/world.ts'
import { attach, Bench, batch, refusal } from './bench.ts'

test('ATTACH reaches the agent on a route of the gateway, with the subject of the token and nothing else the client said', () => {
  const bench = new Bench()
  const agent = bench.raw('agent')
  const client = bench.raw('connect', { subject: 'alice' })
  client.send(attach(77, { agent: 'home', key: 'k', maxInflight: 5, subject: 'root', extra: 1, proof: 'p' }))
  bench.run()
  const [, forwarded] = agent.received
  assert.ok(forwarded)
  const { json, epoch, sessionId } = decodeAttachment(forwarded)
  assert.deepEqual(json, { key: 'k', maxInflight: 5, subject: 'alice' })
  assert.deepEqual([routeOf(forwarded), epoch, sessionId[0]], [1, 1, 77])
})

test('messages cross with their route rewritten, both ways, and their other bytes untouched', () => {
  const bench = new Bench()
  const { client, agent, agentRoute } = bench.joined(5)
  const body = batch(5, [FrameType.DATA, 1, Buffer.from('payload')])
  client.send(body)
  client.send(encodePing(Kind.PING, 5, 99))
  agent.send(encodeAck(agentRoute, 3))
  bench.run()
  assert.deepEqual(agent.received, [
    batch(agentRoute, [FrameType.DATA, 1, Buffer.from('payload')]),
    encodePing(Kind.PING, agentRoute, 99),
  ])
  assert.deepEqual(client.received, [encodeAck(5, 3)])
})

test('the very buffer that came in goes out: nothing is copied or encoded again', () => {
  const bench = new Bench()
  const { client, agent } = bench.joined(5)
  const sent: Buffer[] = []
  const { carrier } = agent.hop
  const pass = carrier.pass.bind(carrier)
  carrier.pass = (message, rest) => {
    sent.push(message)
    pass(message, rest)
  }
  const message = batch(5, [FrameType.DATA, 1, Buffer.alloc(10_000)])
  bench.gateway.relay.message(client.hop, message)
  assert.equal(sent[0], message)
})

test('E103: each OPEN is stamped with the verdict of the token, whatever the client wrote there', () => {
  const bench = new Bench()
  const { client, agent } = bench.joined(5)
  const lie = encodeOpen(1, { ...target, namespace: 'dev' })
  lie[0] = Verdict.ALLOWED
  const malformed = encodeOpen(1, { ...target, port: '../etc' })
  malformed[0] = Verdict.ALLOWED
  client.send(
    batch(5, [FrameType.OPEN, 1, encodeOpen(1, target)], [FrameType.OPEN, 2, lie], [FrameType.OPEN, 3, malformed]),
  )
  bench.run()
  const verdicts: number[] = []
  const [message] = agent.received
  assert.ok(message)
  walkFrames(message, (_type, _stream, start) => verdicts.push(message[start] ?? 0))
  assert.deepEqual(verdicts, [Verdict.ALLOWED, Verdict.DENIED, Verdict.DENIED])
  assert.deepEqual(bench.gateway.opened, ['api allowed', 'api denied'])
})

test('an ATTACH that cannot be served is answered on its route, and the carrier lives', () => {
  const bench = new Bench()
  bench.raw('agent')
  const client = bench.raw('connect')
  client.received.length = 0
  client.send(attach(1, { agent: 'away', key: 'k' }))
  bench.run()
  assert.equal(refusal(client.received[0]), '1 final FORBIDDEN')
  const other = bench.raw('connect', { agents: ['*'] })
  other.received.length = 0
  other.send(attach(2, { agent: 'away', key: 'k' }))
  bench.run()
  assert.equal(refusal(other.received[0]), '2 not final AGENT_UNAVAILABLE')
  assert.deepEqual([client.ends, other.ends, bench.gateway.legs], [[], [], 0])
})

test('a client may hold 16 routes; one more is refused for now', () => {
  const bench = new Bench()
  bench.raw('agent')
  const client = bench.raw('connect')
  client.received.length = 0
  for (let route = 1; route <= 17; route++) client.send(attach(route))
  bench.run()
  assert.equal(refusal(client.received[0]), '17 not final LIMIT')
  assert.equal(client.hop.legs.size, 16)
})

const violations: Record<string, (route: number) => Buffer> = {
  'a message without a header': () => Buffer.alloc(5),
  'a second greeting': () => encodeJson(Kind.HELLO, {}),
  'an unknown kind': route => Buffer.from([0, 0, 0, route, 0x7f, 0]),
  'a batch that is cut short': route => batch(route, [FrameType.DATA, 1, Buffer.alloc(9)]).subarray(0, 30),
  'an unknown frame type': route => batch(route, [0x7f, 1]),
  'an ATTACH on a route that is attached': route => attach(route),
  'an ATTACH that is cut short': () => attach(9).subarray(0, 20),
  'an ATTACH that names no agent': () => attach(9, {}),
}

for (const [what, message] of Object.entries(violations)) {
  test(`${what} from a client closes its carrier with 4400, and no other`, () => {
    const bench = new Bench()
    const { client, agent, agentRoute } = bench.joined(5)
    const bystander = bench.raw('connect')
    bystander.send(attach(3))
    bench.run()
    client.send(message(5))
    bench.run()
    if (what === 'an ATTACH that names no agent') return assert.equal(refusal(client.received[0]), '9 final PROTOCOL')
    assert.deepEqual(
      client.ends.map(({ code }) => code),
      [4400],
    )
    assert.deepEqual([bystander.ends, agent.ends], [[], []])
    assert.equal(
      refusal(agent.received.find(each => routeOf(each) === agentRoute)),
      `${agentRoute} not final ROUTE_LOST`,
    )
    assert.equal(bench.gateway.legs, 2)
  })
}

test('ATTACH from an agent closes its carrier', () => {
  const bench = new Bench()
  const { agent, agentRoute } = bench.joined()
  agent.send(attach(agentRoute))
  bench.run()
  assert.deepEqual(
    agent.ends.map(({ code }) => code),
    [4400],
  )
})

test('C47: a message on a route that is not there is ignored: its DETACH may have crossed it', () => {
  const bench = new Bench()
  const { client, agent } = bench.joined(5)
  client.send(batch(6, [FrameType.DATA, 1, Buffer.alloc(1)]))
  agent.send(encodeAck(999, 1))
  bench.run()
  assert.deepEqual([client.ends, agent.ends, client.received, agent.received], [[], [], [], []])
})

test('after a violation nothing of that carrier is served any more, though its messages still arrive', () => {
  const bench = new Bench()
  const agent = bench.raw('agent')
  const client = bench.raw('connect')
  agent.received.length = 0
  bench.gateway.relay.message(client.hop, Buffer.alloc(1))
  bench.gateway.relay.message(client.hop, attach(9))
  bench.run()
  assert.deepEqual([agent.received, agent.hop.legs.size], [[], 0])
})

test('an agent that connects again takes its own place, and its clients are told to come back', () => {
  const bench = new Bench()
  const { client, agent } = bench.joined(5)
  const again = bench.raw('agent')
  bench.run()
  assert.deepEqual(
    agent.ends.map(({ code }) => code),
    [4409],
  )
  assert.equal(refusal(client.received[0]), '5 not final ROUTE_LOST')
  client.send(attach(6))
  bench.run()
  assert.equal(kindOf(again.received[1] as Buffer), Kind.ATTACH)
  assert.equal(bench.gateway.relay.registry.size, 1)
})

test('another subject does not get a name that is held', () => {
  const bench = new Bench()
  const agent = bench.raw('agent')
  const thief = bench.raw('agent', { subject: 'thief' })
  bench.run()
  assert.deepEqual([thief.ends.map(({ code }) => code), agent.ends], [[4403], []])
  assert.equal(bench.gateway.relay.registry.find('home'), agent.hop)
})

test('DETACH of either side reaches the other and ends both routes', () => {
  for (const from of ['client', 'agent'] as const) {
    const bench = new Bench()
    const { client, agent, agentRoute } = bench.joined(5)
    const detachment = { final: true, code: 14, retryMs: 0, reason: 'done' }
    if (from === 'client') client.send(encodeDetach(5, detachment))
    else agent.send(encodeDetach(agentRoute, detachment))
    bench.run()
    const [message] = (from === 'client' ? agent : client).received
    assert.equal(refusal(message), `${from === 'client' ? agentRoute : 5} final SESSION_CLOSED`)
    assert.equal(bench.gateway.legs, 0)
  }
})

test('a lost carrier ends its routes at the other end too, and nothing is left', () => {
  const bench = new Bench()
  const { client, agent, agentRoute } = bench.joined(5)
  client.carriers.cut()
  bench.run()
  assert.equal(refusal(agent.received[0]), `${agentRoute} not final ROUTE_LOST`)
  assert.equal(bench.gateway.legs, 0)
  agent.carriers.cut()
  bench.run()
  assert.deepEqual([bench.gateway.relay.hops.size, bench.gateway.relay.registry.size], [0, 0])
})

test('C76: a receiver that takes nothing overloads its own route alone', () => {
  const bench = new Bench()
  const { client, agent, agentRoute } = bench.joined(5)
  const other = bench.raw('connect')
  other.send(attach(8))
  bench.run()
  const otherRoute = routeOf(agent.received.at(-1) as Buffer)
  client.carriers.freeze()
  agent.received.length = 0
  const message = Buffer.alloc(64 * 1024)
  for (let sent = 0; sent < 160; sent++) {
    agent.send(batch(agentRoute, [FrameType.DATA, 1, message]))
    bench.run()
  }
  assert.equal(bench.gateway.overloads, 1)
  assert.equal(refusal(agent.received[0]), `${agentRoute} not final OVERLOAD`)
  agent.send(encodeAck(otherRoute, 1))
  bench.run()
  assert.deepEqual(other.received.at(-1), encodeAck(8, 1))
  assert.equal(client.hop.legs.size, 0)
  client.carriers.thaw()
  bench.run()
  assert.equal(refusal(client.received.at(-1)), '5 not final OVERLOAD')
  assert.deepEqual([client.ends, agent.ends], [[], []])
})

test('of a carrier that has ended nothing is counted, not even what still waited behind a DETACH', () => {
  const bench = new Bench()
  const { client, agent, agentRoute } = bench.joined(5)
  client.carriers.freeze()
  for (let sent = 0; sent < 20; sent++) agent.send(batch(agentRoute, [FrameType.DATA, 1, Buffer.alloc(64 * 1024)]))
  agent.send(encodeDetach(agentRoute, { final: true, code: 14, retryMs: 0, reason: 'over' }))
  bench.run()
  assert.ok(bench.gateway.relay.memory.bytes > 1_000_000)
  client.carriers.cut()
  bench.run()
  assert.equal(bench.gateway.relay.memory.bytes, 0)
})

test('who has most waiting over all of its carriers gives way, not who has the longest queue', () => {
  const bench = new Bench({ queuedBytes: 4 * 1024 * 1024 })
  const agent = bench.raw('agent')
  const join = (route: number, subject: string) => {
    const client = bench.raw('connect', { subject })
    client.send(attach(route))
    bench.run()
    client.carriers.freeze()
    return { client, agentRoute: routeOf(agent.received.at(-1) as Buffer) }
  }
  const honest = join(1, 'honest')
  const many = [2, 3, 4, 5].map(route => join(route, 'many'))
  const send = (route: number, times: number) => {
    for (let sent = 0; sent < times; sent++) agent.send(batch(route, [FrameType.DATA, 1, Buffer.alloc(64 * 1024)]))
    bench.run()
  }
  send(honest.agentRoute, 30)
  for (const { agentRoute } of many) send(agentRoute, 18)
  assert.ok(bench.gateway.overloads > 0)
  assert.equal(honest.client.hop.legs.size, 1)
})

test('who is expelled is closed, and its sessions are over at the agent', () => {
  const bench = new Bench()
  const { client, agent, agentRoute } = bench.joined(5)
  bench.gateway.relay.expel(client.hop, new TunnelError('UNAUTHENTICATED', 'the access has been revoked'))
  bench.run()
  assert.deepEqual(client.ends, [{ code: 4401, reason: 'the access has been revoked' }])
  assert.equal(refusal(agent.received[0]), `${agentRoute} final GONE`)
  const other = bench.raw('connect', { subject: 'other' })
  other.send(attach(6))
  bench.run()
  bench.gateway.relay.expel(agent.hop, new TunnelError('UNAUTHENTICATED', 'the token has expired'))
  bench.run()
  assert.equal(refusal(other.received.at(-1)), '6 not final ROUTE_LOST')
})

test('when all queues together are too long, the longest gives way, whoever sends at that moment', () => {
  const bench = new Bench({ queuedBytes: 2 * 1024 * 1024 })
  const agent = bench.raw('agent')
  const joined = [1, 2, 3].map(route => {
    const client = bench.raw('connect', { subject: `client ${route}` })
    client.send(attach(route))
    bench.run()
    client.carriers.freeze()
    return { client, route: routeOf(agent.received.at(-1) as Buffer) }
  })
  agent.received.length = 0
  const [first, second, third] = joined.map(({ route }) => route)
  const send = (route = 0, times = 1) => {
    for (let sent = 0; sent < times; sent++) agent.send(batch(route, [FrameType.DATA, 1, Buffer.alloc(64 * 1024)]))
    bench.run()
  }
  send(first, 9)
  send(second, 20)
  assert.equal(bench.gateway.overloads, 0)
  send(third, 20)
  assert.equal(bench.gateway.overloads, 1)
  assert.equal(refusal(agent.received[0]), `${second} not final OVERLOAD`)
  assert.equal(agent.received.length, 1)
  assert.ok(bench.gateway.relay.memory.bytes <= 2 * 1024 * 1024)
  for (const { client } of joined) client.carriers.cut()
  bench.run()
  assert.equal(bench.gateway.relay.memory.bytes, 0)
})

test('C67: a client that opens faster than it may is left alone for a while, loses nothing, and keeps nobody else waiting', () => {
  const bench = new Bench({ workPerSecond: 1_000 })
  const { client, agent } = bench.joined(5)
  const honest = bench.raw('connect', { subject: 'honest' })
  honest.send(attach(7))
  bench.clock.advanceSync(1_000)
  agent.received.length = 0
  for (let stream = 1; stream <= 50; stream++) client.send(batch(5, [FrameType.OPEN, stream, encodeOpen(1, target)]))
  honest.send(encodePing(Kind.PING, 7, 1))
  bench.run()
  const opens = () => agent.received.filter(message => kindOf(message) === Kind.BATCH).length
  assert.ok(opens() < 5)
  assert.equal(agent.received.filter(message => kindOf(message) === Kind.PING).length, 1)
  bench.clock.advanceSync(1_000)
  assert.ok(opens() > 15 && opens() < 25, String(opens()))
  bench.clock.advanceSync(2_000)
  assert.equal(opens(), 50)
  assert.deepEqual([client.ends, honest.ends, agent.ends], [[], [], []])
})

test('a client that does not read gets no more queues by attaching again and again', () => {
  const bench = new Bench()
  const { client, agent, agentRoute } = bench.joined(5)
  client.carriers.b.freeze()
  let route = agentRoute
  let refused = 0
  for (let round = 0; round < 100; round++) {
    for (let sent = 0; sent < 8; sent++) agent.send(batch(route, [FrameType.DATA, 1, Buffer.alloc(64 * 1024)]))
    agent.send(encodeDetach(route, { final: false, code: 35, retryMs: 0, reason: 'superseded' }))
    bench.run()
    const before = agent.received.length
    client.send(attach(100 + round))
    bench.run()
    if (agent.received.length > before) route = routeOf(agent.received.at(-1) as Buffer)
    else refused++
  }
  assert.ok(refused > 80, `${refused} refused`)
  assert.deepEqual(client.ends, [])
})

test('C76: a client that asks and asks and reads no answer is closed', () => {
  const bench = new Bench({ workPerSecond: 1e9 })
  const client = bench.raw('connect', { agents: ['*'] })
  client.carriers.b.freeze()
  for (let route = 1; route < 50_000 && bench.gateway.relay.hops.size > 0; route++) {
    client.send(attach(route, { agent: 'away', key: 'k' }))
    if (route % 100 === 0) bench.run()
  }
  assert.equal(bench.gateway.relay.hops.size, 0)
  assert.ok(client.hop.carrier.bufferedBytes < 2 * 1024 * 1024)
})

test('whoever causes too much waits on all of its carriers, and nobody else does', () => {
  const bench = new Bench({ workPerSecond: 10_000 })
  const { client } = bench.joined()
  const again = bench.raw('connect')
  const other = bench.raw('connect', { subject: 'ann' })
  const held: string[] = []
  for (const [name, { hop }] of Object.entries({ client, again, other })) hop.carrier.hold = () => held.push(name)
  for (let count = 0; count < 1_000; count++) client.send(batch(5, [FrameType.DATA, 1, Buffer.from('x')]))
  bench.run()
  assert.deepEqual([...new Set(held)].sort(), ['again', 'client'])
})
