import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TunnelError } from '../../src/errors.ts'
import { Inbox } from '../../src/mux/inbox.ts'
import { VirtualClock } from '../support/clock.ts'

function inbox(): { clock: VirtualClock; acks: number[]; inbox: Inbox } {
  const clock = new VirtualClock()
  const acks: number[] = []
  return { clock, acks, inbox: new Inbox(clock, expected => acks.push(expected)) }
}

test('C48, C49, C50: each batch is taken once; a duplicate is dropped, a gap is a violation', () => {
  const { inbox: box } = inbox()
  assert.equal(box.accept(0, 1), true)
  assert.equal(box.accept(1, 1), true)
  assert.equal(box.accept(0, 1), false)
  assert.equal(box.accept(1, 1), false)
  assert.throws(
    () => box.accept(3, 1),
    (error: TunnelError) => error.code === 'PROTOCOL',
  )
  assert.equal(box.expected, 2)
  assert.equal(box.accept(2, 1), true)
})

const LARGE = 4 * 1024

for (const [what, bytes, delayMs] of [
  ['a lone batch', LARGE, 5],
  ['a little one', 100, 250],
] as const)
  test(`${what} is acknowledged after ${delayMs} ms, and once`, () => {
    const { clock, acks, inbox: box } = inbox()
    box.accept(0, bytes)
    clock.advanceSync(delayMs - 1)
    assert.deepEqual(acks, [])
    clock.advanceSync(1)
    assert.deepEqual(acks, [1])
    clock.advanceSync(1_000)
    assert.deepEqual(acks, [1])
    assert.equal(clock.timers, 0)
    box.accept(1, bytes)
    clock.advanceSync(delayMs)
    assert.deepEqual(acks, [1, 2])
  })

test('little ones that are more than 2 KiB together are acknowledged after 5 ms', () => {
  const { clock, acks, inbox: box } = inbox()
  box.accept(0, 2 * 1024)
  clock.advanceSync(100)
  box.accept(1, 1)
  clock.advanceSync(4)
  assert.deepEqual(acks, [])
  clock.advanceSync(1)
  assert.deepEqual(acks, [2])
  assert.equal(clock.timers, 0)
})

test('when the peer waits for it, a little one is acknowledged after 5 ms, and what came before it no later for that', () => {
  const { clock, acks, inbox: box } = inbox()
  box.soon()
  assert.equal(clock.timers, 0)
  box.accept(0, 100)
  clock.advanceSync(247)
  box.soon()
  clock.advanceSync(3)
  assert.deepEqual(acks, [1])
  box.accept(1, 100)
  box.soon()
  clock.advanceSync(5)
  assert.deepEqual(acks, [1, 2])
})

test('batches that are answered at once are acknowledged by the answers alone', () => {
  const { clock, acks, inbox: box } = inbox()
  for (let seq = 0; seq < 100; seq++) {
    box.accept(seq, LARGE)
    clock.advanceSync(2)
    box.takeAck()
  }
  assert.deepEqual(acks, [])
  box.accept(100, LARGE)
  clock.advanceSync(4)
  assert.deepEqual(acks, [])
  clock.advanceSync(1)
  assert.deepEqual(acks, [101])
})

test('what is typed every 200 ms is acknowledged by what is typed next', () => {
  const { clock, acks, inbox: box } = inbox()
  for (let seq = 0; seq < 20; seq++) {
    box.accept(seq, 100)
    clock.advanceSync(200)
    box.takeAck()
  }
  assert.deepEqual(acks, [])
})

test('256 KiB are acknowledged at once', () => {
  const { clock, acks, inbox: box } = inbox()
  for (let seq = 0; seq < 8; seq++) box.accept(seq, 64 * 1024)
  assert.deepEqual(acks, [4, 8])
  clock.advanceSync(100)
  assert.deepEqual(acks, [4, 8])
})

test('an acknowledgement that leaves with a batch makes its own message needless', () => {
  const { clock, acks, inbox: box } = inbox()
  box.accept(0, LARGE)
  assert.equal(box.takeAck(), 1)
  clock.advanceSync(100)
  assert.deepEqual(acks, [])
  box.accept(1, LARGE)
  clock.advanceSync(100)
  assert.deepEqual(acks, [2])
})

test('after stop nothing is acknowledged and no timer is left', () => {
  const { clock, acks, inbox: box } = inbox()
  box.accept(0, LARGE)
  box.stop()
  assert.equal(clock.timers, 0)
  clock.advanceSync(100)
  assert.deepEqual(acks, [])
  box.accept(1, LARGE)
  clock.advanceSync(100)
  assert.deepEqual(acks, [2])
})
