import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Carrier, HIGH_WATER_BYTES } from '../../src/carrier/carrier.ts'
import { Hop, Leg, MAX_QUEUE_BYTES, QueueMemory } from '../../src/gateway/hop.ts'
import { encodeAck, routeOf } from '../../src/wire/message.ts'
import { Lender } from '../support/lender.ts'
import { principal } from '../support/world.ts'

class TestCarrier implements Carrier {
  bufferedBytes = 0
  readonly heartbeatMs = undefined
  readonly pongs = 0
  sentBytes = 0
  readonly sent: Buffer[] = []

  send(message: Buffer): void {
    this.sent.push(message)
  }

  pass(message: Buffer): void {
    this.sent.push(message)
  }

  probe(): void {}
  hold(): void {}
  close(): void {}
  terminate(): void {}
  start(): void {}
}

function hop(): { carrier: TestCarrier; subject: Hop } {
  const carrier = new TestCarrier()
  return { carrier, subject: new Hop(carrier, principal('agent')) }
}

const message = (bytes = 10_000): Buffer => Buffer.alloc(bytes)

test('a message leaves at once on the route of its leg, while the carrier has room', () => {
  const { carrier, subject } = hop()
  const leg = subject.openLeg()
  assert.equal(subject.forward(leg, encodeAck(9, 5)), true)
  assert.deepEqual(carrier.sent, [encodeAck(leg.route, 5)])
  assert.equal(subject.sentBytes, 12)
})

test('what waits keeps its order, also behind a message that would have fitted', () => {
  const { carrier, subject } = hop()
  const leg = subject.openLeg()
  carrier.bufferedBytes = HIGH_WATER_BYTES
  subject.forward(leg, encodeAck(0, 1))
  carrier.bufferedBytes = 0
  subject.forward(leg, encodeAck(0, 2))
  subject.drain()
  assert.deepEqual(carrier.sent, [encodeAck(leg.route, 1), encodeAck(leg.route, 2)])
})

test('waiting routes are served one message each in turn, until the carrier is full', () => {
  const { carrier, subject } = hop()
  const legs = [subject.openLeg(), subject.openLeg(), subject.openLeg()]
  carrier.bufferedBytes = HIGH_WATER_BYTES
  for (const leg of legs) for (let index = 0; index < 3; index++) subject.forward(leg, message())
  carrier.bufferedBytes = 0
  const pass = carrier.pass.bind(carrier)
  carrier.pass = each => {
    pass(each)
    if (carrier.sent.length === 4) carrier.bufferedBytes = HIGH_WATER_BYTES
  }
  subject.drain()
  assert.deepEqual(carrier.sent.map(routeOf), [1, 2, 3, 1])
  carrier.bufferedBytes = 0
  subject.drain()
  assert.deepEqual(carrier.sent.map(routeOf), [1, 2, 3, 1, 2, 3, 1, 2, 3])
})

test('a queue takes 8.25 MiB or 16384 messages, and then no more', () => {
  const { carrier, subject } = hop()
  carrier.bufferedBytes = HIGH_WATER_BYTES
  const large = subject.openLeg()
  let taken = 0
  while (subject.forward(large, message(64 * 1024))) taken += 64 * 1024
  assert.equal(taken, MAX_QUEUE_BYTES)
  const small = subject.openLeg()
  let count = 0
  while (subject.forward(small, message(12))) count++
  assert.equal(count, 16_384)
  assert.equal(small.queuedBytes, 16_384 * 12)
})

test('a small message is copied when it waits, so that it does not pin the chunk it came in', () => {
  const leg = new Leg(hop().subject, 1)
  const chunk = Buffer.alloc(64 * 1024)
  leg.push(chunk.subarray(0, 100), [])
  leg.push(chunk.subarray(0, 20_000), [chunk.subarray(20_000, 30_000)])
  leg.push(chunk.subarray(0, 40_000), [])
  for (const bytes of [100, 30_000]) {
    const queued = leg.shift()
    assert.deepEqual([queued?.message.length, queued?.rest.length], [bytes, 0])
    assert.ok(queued?.message.buffer !== chunk.buffer)
  }
  assert.ok(leg.shift()?.message.buffer === chunk.buffer)
  assert.equal(leg.shift(), undefined)
  assert.deepEqual([leg.queuedBytes, leg.queuedMessages], [0, 0])
})

test('a leg that is removed loses its queue; one that is retired still sends it', () => {
  const { carrier, subject } = hop()
  const [removed, retired] = [subject.openLeg(), subject.openLeg()]
  carrier.bufferedBytes = HIGH_WATER_BYTES
  for (const leg of [removed, retired]) subject.forward(leg, message())
  subject.removeLeg(removed)
  subject.retireLeg(retired)
  assert.deepEqual([subject.legs.size, subject.heldLegs], [0, 1])
  carrier.bufferedBytes = 0
  subject.drain()
  assert.deepEqual(carrier.sent.map(routeOf), [retired.route])
  assert.equal(subject.heldLegs, 0)
})

test('a late removal does not touch the leg that has the route now', () => {
  const { subject } = hop()
  const old = subject.addLeg(5)
  subject.removeLeg(old)
  const current = subject.addLeg(5)
  subject.removeLeg(old)
  subject.retireLeg(old)
  assert.equal(subject.legs.get(5), current)
})

test('routes of the gateway are never used twice on a carrier', () => {
  const { subject } = hop()
  const first = subject.openLeg()
  subject.removeLeg(first)
  assert.notEqual(subject.openLeg().route, first.route)
})

test('what it forwards it passes on to the carrier, and what it copies it gives back', () => {
  const lender = new Lender()
  const { carrier, subject } = hop()
  const leg = subject.openLeg()
  const small = lender.copy(message(1_000))
  carrier.bufferedBytes = HIGH_WATER_BYTES
  subject.forward(leg, small)
  lender.leave()
  assert.equal(lender.recycled, 1)
  const large = lender.copy(message(50_000))
  subject.forward(leg, large)
  lender.leave()
  carrier.bufferedBytes = 0
  subject.drain()
  assert.equal(lender.recycled, 1)
  assert.ok(carrier.sent.at(-1) === large)
})

test('what waits counts in the memory of all hops, until it has left or is given up', () => {
  const memory = new QueueMemory()
  const carrier = new TestCarrier()
  const subject = new Hop(carrier, principal('agent'), { memory })
  const [leg, other] = [subject.openLeg(), subject.openLeg()]
  carrier.bufferedBytes = HIGH_WATER_BYTES
  for (const each of [leg, leg, other]) subject.forward(each, message())
  assert.equal(memory.bytes, 30_000)
  subject.discardLeg(other)
  assert.equal(memory.bytes, 20_000)
  carrier.bufferedBytes = 0
  subject.drain()
  assert.deepEqual([carrier.sent.length, memory.bytes], [2, 0])
})
