import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultHeartbeat, Liveness } from '../../src/carrier/liveness.ts'

const idle = { received: 0, left: 0, waiting: 0 }

test('C76: a peer that speaks but takes nothing is dead after a minute, not earlier', () => {
  const liveness = new Liveness(defaultHeartbeat, 0)
  for (let now = 15_000; now < 75_000; now += 15_000)
    assert.equal(liveness.beat(now, { received: now, left: 4_096, waiting: 100 }), undefined)
  assert.equal(liveness.beat(75_000, { received: 75_000, left: 4_096, waiting: 100 }), 'nothing was taken for 60 s')
})

test('a peer that takes a little, or everything now and then, is not', () => {
  const slow = new Liveness(defaultHeartbeat, 0)
  const late = new Liveness(defaultHeartbeat, 0)
  for (let now = 15_000; now < 600_000; now += 15_000) {
    assert.equal(slow.beat(now, { received: now, left: now / 15_000, waiting: 1e6 }), undefined)
    const waiting = now % 45_000 === 0 ? 0 : 1e6
    assert.equal(late.beat(now, { received: now, left: 7, waiting }), undefined)
  }
})

test('a process that stood still blames nobody for it', () => {
  const liveness = new Liveness(defaultHeartbeat, 0)
  assert.equal(liveness.beat(15_000, { received: 1, left: 7, waiting: 9 }), undefined)
  assert.equal(liveness.beat(500_000, { received: 1, left: 7, waiting: 9 }), undefined)
  assert.equal(liveness.beat(515_000, { received: 2, left: 7, waiting: 9 }), undefined)
})

test('the last beat comes when the silence has been long enough', () => {
  const liveness = new Liveness(defaultHeartbeat, 0)
  assert.equal(liveness.nextBeatMs, 15_000)
  assert.equal(liveness.beat(15_000, idle), undefined)
  assert.equal(liveness.beat(30_000, idle), undefined)
  assert.equal(liveness.nextBeatMs, 10_000)
  assert.equal(liveness.beat(40_000, idle), 'nothing was heard for 40 s')
})
