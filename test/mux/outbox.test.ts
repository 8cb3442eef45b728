import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HIGH_WATER_BYTES } from '../../src/carrier/carrier.ts'
import { Outbox } from '../../src/mux/outbox.ts'
import type { Route } from '../../src/mux/route.ts'
import type { Sender } from '../../src/mux/scheduler.ts'
import { FrameType, walkFrames } from '../../src/wire/frame.ts'
import { decodeBatchHeader, messageBytes, routeOf } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { Lender } from '../support/lender.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** A route that remembers, and whose carrier is as full as the test says. */
class TestRoute implements Route {
  readonly id: number
  bufferedBytes = 0
  sentBytes = 0
  thirsty = 0
  readonly sent: Buffer[] = []

  constructor(id: number) {
    this.id = id
  }

  send(message: Buffer, rest: readonly Buffer[] = []): void {
    this.sentBytes += messageBytes(message, rest)
    this.sent.push(rest.length === 0 ? message : Buffer.concat([message, ...rest]))
  }

  wantDrain(): void {
    this.thirsty++
  }

  close(): void {}

  get seqs(): number[] {
    return this.sent.map(message => decodeBatchHeader(message).seq)
  }

  /** Bytes of DATA that went out. */
  get dataBytes(): number {
    let bytes = 0
    for (const message of this.sent) {
      walkFrames(message, (type, _stream, start, end) => {
        if (type === FrameType.DATA) bytes += end - start
      })
    }
    return bytes
  }
}

class Source implements Sender {
  left: number
  readonly #outbox: Outbox
  readonly #stream: number

  constructor(outbox: Outbox, bytes: number, stream = 1) {
    this.#outbox = outbox
    this.#stream = stream
    this.left = bytes
  }

  get pendingBytes(): number {
    return this.left
  }

  serve(maxBytes: number): boolean {
    assert.ok(Number.isInteger(maxBytes), `a turn of ${maxBytes} bytes`)
    const bytes = Math.min(maxBytes, this.left)
    this.left -= bytes
    this.#outbox.frame(FrameType.DATA, this.#stream, Buffer.alloc(bytes))
    return this.left > 0
  }
}

function world(
  maxInflightBytes = 8 * MIB,
  pathMs = 1,
): {
  clock: VirtualClock
  outbox: Outbox
  route: TestRoute
  acks: () => void
} {
  const clock = new VirtualClock()
  const outbox = new Outbox(
    clock,
    () => 7,
    () => pathMs,
  )
  const route = new TestRoute(3)
  outbox.attach(route, 0, maxInflightBytes)
  return { clock, outbox, route, acks: () => outbox.acknowledge((route.seqs.at(-1) ?? -1) + 1) }
}

test('frames of one turn leave as one batch, with the route, a number and the acknowledgement', () => {
  const { clock, outbox, route } = world()
  outbox.frame(FrameType.FIN, 1, null)
  outbox.frame(FrameType.FIN, 2, null)
  assert.equal(route.sent.length, 0)
  clock.turn()
  outbox.frame(FrameType.FIN, 3, null)
  clock.turn()
  assert.deepEqual(
    route.sent.map(message => [routeOf(message), decodeBatchHeader(message)]),
    [
      [3, { seq: 0, ack: 7 }],
      [3, { seq: 1, ack: 7 }],
    ],
  )
})

test('64 KiB leave at once', () => {
  const { outbox, route } = world()
  outbox.frame(FrameType.DATA, 1, Buffer.alloc(64 * KIB))
  assert.equal(route.sent.length, 1)
})

test('kept bytes never exceed maxInflight, and every acknowledgement lets more go until all is sent', () => {
  const { clock, outbox, route, acks } = world(512 * KIB)
  const source = new Source(outbox, 5 * MIB)
  outbox.ready(source)
  for (let turn = 0; turn < 200 && outbox.keptBytes + source.left > 0; turn++) {
    clock.turn()
    assert.ok(outbox.keptBytes <= 512 * KIB, String(outbox.keptBytes))
    assert.ok(outbox.gatheredBytes <= 128 * KIB, 'data that cannot leave is not gathered')
    const before = route.sent.length
    acks()
    clock.turn()
    if (source.left > 0) assert.ok(route.sent.length > before, 'stalled')
  }
  assert.equal(route.dataBytes, 5 * MIB)
})

test('a turn is a whole number of bytes, whatever the path is worth', () => {
  const { clock, outbox, route, acks } = world(8 * MIB, 33.3)
  const source = new Source(outbox, 3 * MIB)
  outbox.ready(source)
  for (let round = 0; source.left > 0 && round < 500; round++) {
    clock.advanceSync(round < 2 ? 40 : 77.7)
    acks()
  }
  clock.advanceSync(1)
  assert.equal(route.dataBytes, 3 * MIB)
})

test('control frames pass while data waits for room among the kept bytes', () => {
  const { clock, outbox, route } = world(512 * KIB)
  outbox.ready(new Source(outbox, 5 * MIB))
  clock.turn()
  const before = route.sent.length
  outbox.frame(FrameType.FIN, 9, null)
  clock.turn()
  assert.equal(route.sent.length, before + 1)
})

test('control frames keep to maxInflight too, and leave once there is room', () => {
  const { clock, outbox, route, acks } = world(512 * KIB)
  for (let index = 0; index < 100_000; index++) outbox.frame(FrameType.FIN, 1, null)
  assert.ok(outbox.keptBytes <= 512 * KIB, String(outbox.keptBytes))
  assert.ok(outbox.gatheredBytes > 0)
  acks()
  clock.turn()
  assert.equal(outbox.gatheredBytes, 0)
  assert.ok(route.sent.length > 10)
})

test('data waits while the carrier is full, and asks to be told; control frames do not wait', () => {
  const { clock, outbox, route } = world()
  route.bufferedBytes = HIGH_WATER_BYTES
  const source = new Source(outbox, 100 * KIB)
  outbox.ready(source)
  outbox.frame(FrameType.FIN, 9, null)
  clock.turn()
  assert.equal(source.left, 100 * KIB)
  assert.equal(route.sent.length, 1)
  assert.ok(route.thirsty > 0)
  route.bufferedBytes = 0
  outbox.drain()
  clock.turn()
  assert.equal(route.dataBytes, 100 * KIB)
})

test('data that stopped short of a carrier which never became full goes on in the next turn', () => {
  const { clock, outbox, route } = world()
  route.bufferedBytes = HIGH_WATER_BYTES - 10
  outbox.frame(FrameType.FIN, 8, null)
  outbox.frame(FrameType.FIN, 9, null)
  const source = new Source(outbox, 10)
  outbox.ready(source)
  assert.equal(source.left, 10)
  clock.turn()
  clock.turn()
  assert.equal(source.left, 0)
})

test('a resume sends what the peer does not have, in order, with the new route, before anything new', () => {
  const { clock, outbox, route } = world()
  for (let index = 0; index < 5; index++) {
    outbox.frame(FrameType.FIN, index + 1, null)
    clock.turn()
  }
  outbox.acknowledge(1)
  outbox.detach()
  outbox.frame(FrameType.FIN, 99, null)
  clock.turn()
  assert.deepEqual(route.seqs, [0, 1, 2, 3, 4])
  const second = new TestRoute(8)
  outbox.attach(second, 3, 8 * MIB)
  assert.deepEqual(second.seqs, [3, 4, 5])
  assert.ok(second.sent.every(message => routeOf(message) === 8))
  assert.ok(
    route.sent.every(message => routeOf(message) === 3),
    'a buffer that may still be queued was changed',
  )
  outbox.acknowledge(6)
  assert.equal(outbox.keptBytes, 0)
})

test('a resume stops at a full carrier and goes on when it drains; new data waits for its end', () => {
  const { clock, outbox } = world()
  for (let index = 0; index < 4; index++) outbox.frame(FrameType.DATA, 1, Buffer.alloc(64 * KIB))
  outbox.detach()
  const second = new TestRoute(8)
  second.bufferedBytes = HIGH_WATER_BYTES
  outbox.attach(second, 0, 8 * MIB)
  const source = new Source(outbox, 10, 2)
  outbox.ready(source)
  clock.turn()
  assert.deepEqual([second.sent.length, source.left], [0, 10])
  assert.ok(second.thirsty > 0)
  second.bufferedBytes = 0
  outbox.drain()
  clock.turn()
  assert.deepEqual(second.seqs, [0, 1, 2, 3, 4])
  assert.equal(second.dataBytes, 4 * 64 * KIB + 10, 'large payloads are sent again too')
  assert.equal(source.left, 0)
})

test('a peer that expects what was never sent cannot be joined; what it acknowledged later than it said holds', () => {
  const { clock, outbox } = world()
  for (let index = 0; index < 3; index++) {
    outbox.frame(FrameType.FIN, index + 1, null)
    clock.turn()
  }
  outbox.acknowledge(2)
  outbox.detach()
  assert.throws(() => outbox.attach(new TestRoute(9), 4, MIB), { code: 'DESYNC' })
  for (const expected of [0, 1, 2]) {
    const route = new TestRoute(9)
    outbox.attach(route, expected, MIB)
    assert.deepEqual(route.seqs, [2])
  }
  const route = new TestRoute(9)
  outbox.attach(route, 3, MIB)
  assert.deepEqual(route.seqs, [])
})

test('tiny batches that nobody acknowledges are bounded in number; what waits leaves in few', () => {
  const { clock, outbox, route } = world()
  const sources: Source[] = []
  for (let index = 0; index < 10_000; index++) {
    const source = new Source(outbox, 1)
    sources.push(source)
    outbox.ready(source)
    clock.turn()
  }
  assert.ok(route.sent.length <= 8_192, `${route.sent.length} batches`)
  outbox.acknowledge((route.seqs.at(-1) ?? 0) + 1)
  clock.turn()
  assert.ok(sources.every(({ left }) => left === 0))
  assert.ok(route.sent.length < 8_200)
})

test('clear forgets everything', () => {
  const { clock, outbox, route } = world(512 * KIB)
  outbox.ready(new Source(outbox, 5 * MIB))
  outbox.clear()
  const sent = route.sent.length
  clock.turn()
  outbox.drain()
  assert.deepEqual([route.sent.length, outbox.keptBytes], [sent, 0])
})

test('lent payloads are given back once they are acknowledged and have left, over the route that they were sent on', () => {
  const lender = new Lender()
  const { clock, outbox, route } = world()
  const send = () => {
    outbox.frame(FrameType.DATA, 1, lender.copy(Buffer.alloc(10_000)))
    lender.leave()
    clock.turn()
  }
  send()
  outbox.acknowledge(1)
  assert.equal(lender.recycled, 1)

  // The peer says that it has what is still queued here.
  send()
  route.bufferedBytes = 1
  outbox.acknowledge(2)
  assert.equal(lender.recycled, 1)

  // It may still be queued on the route before, whatever has left on this one.
  route.bufferedBytes = 0
  send()
  outbox.detach()
  const next = new TestRoute(4)
  next.sentBytes = 1_000_000
  outbox.attach(next, 2, MIB)
  outbox.acknowledge(3)
  assert.equal(lender.recycled, 1)
  send()
  outbox.acknowledge(4)
  assert.equal(lender.recycled, 2)
})
