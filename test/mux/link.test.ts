import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HIGH_WATER_BYTES } from '../../src/carrier/carrier.ts'
import { type MemoryCarrier, memoryLink } from '../../src/carrier/memory.ts'
import type { TunnelError } from '../../src/errors.ts'
import { Link, type LinkOptions } from '../../src/mux/link.ts'
import type { RouteHandler } from '../../src/mux/route.ts'
import { decodeJson, encodeAck, encodeJson, Kind, kindOf } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'

interface Gateway {
  readonly clock: VirtualClock
  readonly near: MemoryCarrier
  readonly far: MemoryCarrier
  readonly received: Buffer[]
  readonly closed: { code: number; reason: string }[]
}

function gateway(): Gateway {
  const clock = new VirtualClock()
  const { a: near, b: far } = memoryLink({ clock })
  const received: Buffer[] = []
  const closed: { code: number; reason: string }[] = []
  far.start({ message: message => received.push(message), drain: () => {}, closed: end => closed.push(end) })
  return { clock, near, far, received, closed }
}

async function greeted(options: Partial<LinkOptions> = {}): Promise<Gateway & { link: Link }> {
  const world = gateway()
  const greeting = Link.greet(world.near, {
    clock: world.clock,
    hello: { role: 'connect', software: 'test' },
    ...options,
  })
  world.far.send(encodeJson(Kind.WELCOME, { software: 'gateway' }))
  await world.clock.runUntilIdle()
  return { ...world, link: await greeting }
}

const silent: RouteHandler = { message: () => {}, drain: () => {}, lost: () => {} }

test('a link says HELLO first and is there once WELCOME came', async () => {
  const { link, received, clock } = await greeted()
  assert.deepEqual(received.map(kindOf), [Kind.HELLO])
  assert.deepEqual(decodeJson(received[0] as Buffer), { role: 'connect', software: 'test' })
  assert.deepEqual(link.welcome, { software: 'gateway' })
  assert.equal(clock.timers, 0, 'the greeting left its timer')
})

test('what the gateway calls itself is text, whatever WELCOME has in its place', async () => {
  for (const software of [undefined, 1, { toString: 1, valueOf: null }]) {
    const world = gateway()
    const greeting = Link.greet(world.near, { clock: world.clock, hello: { role: 'agent', software: 'test' } })
    world.far.send(encodeJson(Kind.WELCOME, { software }))
    await world.clock.runUntilIdle()
    assert.equal((await greeting).software, '')
  }
  assert.equal((await greeted()).link.software, 'gateway')
})

test('a gateway that does not greet in time is left with IDLE', async () => {
  const { clock, near, closed } = gateway()
  const greeting = Link.greet(near, { clock, hello: { role: 'agent', software: 'test' } })
  const failed = assert.rejects(greeting, { code: 'IDLE' })
  await clock.advance(9_999)
  assert.equal(closed.length, 0)
  await clock.advance(1)
  await failed
  assert.equal(closed[0]?.code, 4408)
})

test('a close instead of WELCOME gives its reason', async () => {
  const { clock, near, far } = gateway()
  const greeting = Link.greet(near, { clock, hello: { role: 'agent', software: 'test' } })
  const failed = assert.rejects(greeting, { code: 'FORBIDDEN', message: 'the name is taken' })
  far.close(4403, 'the name is taken')
  await clock.runUntilIdle()
  await failed
  assert.equal(clock.timers, 0)
})

test('every route learns once that the carrier is gone, also one that is opened afterwards', async () => {
  const { link, near, clock } = await greeted()
  const lost: string[] = []
  const handler = (name: string): RouteHandler => ({ ...silent, lost: error => lost.push(`${name} ${error.code}`) })
  link.openRoute(handler('a'))
  link.openRoute(handler('closed')).close()
  near.terminate()
  assert.deepEqual(lost, ['a GATEWAY_UNREACHABLE'])
  assert.equal((await link.ended).code, 'GATEWAY_UNREACHABLE')
  link.openRoute(handler('b'))
  assert.equal(lost.length, 1, 'not before the caller has its route')
  await clock.runUntilIdle()
  assert.deepEqual(lost, ['a GATEWAY_UNREACHABLE', 'b GATEWAY_UNREACHABLE'])
})

test('a message for a route that is not there is ignored, an ATTACH goes to whoever accepts', async () => {
  const attached: number[] = []
  const { far, clock, closed } = await greeted({ onAttach: (_link, route) => attached.push(route) })
  far.send(encodeAck(9, 0))
  const attach = encodeAck(12, 0)
  attach[4] = Kind.ATTACH
  far.send(attach)
  await clock.runUntilIdle()
  assert.deepEqual([attached, closed], [[12], []])
})

test('a closed route delivers and sends nothing, and does not touch its successor', async () => {
  const { link, far, received, clock } = await greeted()
  const got: string[] = []
  const first = link.route(5, { ...silent, message: () => got.push('first') })
  const second = link.route(5, { ...silent, message: () => got.push('second') })
  first.close()
  first.send(encodeAck(5, 0))
  far.send(encodeAck(5, 0))
  await clock.runUntilIdle()
  assert.deepEqual([got, received.length], [['second'], 1])
  second.send(encodeAck(5, 0))
  await clock.runUntilIdle()
  assert.equal(received.length, 2)
})

for (const [what, bytes] of [
  ['without a header', Buffer.alloc(5)],
  ['of an unknown kind on the hop route', encodeAck(0, 0)],
  ['WELCOME that is no JSON', Buffer.concat([encodeJson(Kind.WELCOME, {}).subarray(0, 6), Buffer.from('[]')])],
] as const) {
  test(`a message ${what} closes the carrier with 4400`, async () => {
    const { far, clock, closed, link } = await greeted()
    far.send(Buffer.from(bytes))
    await clock.runUntilIdle()
    assert.deepEqual(
      closed.map(({ code }) => code),
      [4400],
    )
    assert.equal(((await link.ended) as TunnelError).code, 'PROTOCOL')
  })
}

test('DRAIN reaches whoever can leave, with a sane time', async () => {
  const asked: number[] = []
  const { far, clock } = await greeted({ onDrain: (_link, afterMs) => asked.push(afterMs) })
  for (const afterMs of [1_500, -5, 'soon', 1e308]) far.send(encodeJson(Kind.DRAIN, { afterMs }))
  await clock.runUntilIdle()
  assert.deepEqual(asked, [1_500, 0, 0, 2 ** 31 - 1])
})

test('routes that wait for the carrier are served in turn, one batch each, none twice before the others', async () => {
  const { link, near, clock } = await greeted()
  const served: string[] = []
  const open = (name: string) => {
    let left = 3
    const route = link.openRoute({
      ...silent,
      drain: () => {
        served.push(name)
        if (--left > 0) {
          route.send(Buffer.alloc(HIGH_WATER_BYTES))
          route.wantDrain()
        }
      },
    })
    return route
  }
  const routes = ['a', 'b', 'c'].map(open)
  routes[0]?.send(Buffer.alloc(HIGH_WATER_BYTES))
  for (const route of routes) route.wantDrain()
  await clock.runUntilIdle()
  assert.equal(near.bufferedBytes, 0)
  assert.deepEqual(served, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'])
})
