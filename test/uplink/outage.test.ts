import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outage } from '../../src/uplink/outage.ts'
import { VirtualClock } from '../support/clock.ts'

function outage() {
  const clock = new VirtualClock()
  clock.advanceSync(1_000_000)
  return { clock, subject: new Outage(clock) }
}

test('an outage begins once, and its end says how long it was, once', () => {
  const { clock, subject } = outage()
  assert.equal(subject.begin(0, true), true)
  clock.advanceSync(300)
  assert.equal(subject.begin(0, false), false)
  assert.equal(subject.gatewayAway, true, 'the first has counted')
  clock.advanceSync(200)
  assert.equal(subject.end(), 500)
  assert.equal(subject.end(), undefined)
})

test('an outage that was noticed late began when the silence did', () => {
  const { clock, subject } = outage()
  subject.begin(4_000, true)
  clock.advanceSync(1_000)
  assert.deepEqual(subject.state(3), { name: 'resuming', forMs: 5_000, streamsHeld: 3 })
  assert.equal(subject.end(), 5_000)
})

test('between two attempts it is offline and counts down; while one is under way it is resuming', () => {
  const { clock, subject } = outage()
  subject.begin(0, true)
  subject.trying()
  assert.equal(subject.isWaiting, false)
  clock.advanceSync(100)
  assert.deepEqual(subject.state(1), { name: 'resuming', forMs: 100, streamsHeld: 1 })
  subject.waiting(2_000, 'connection refused')
  assert.equal(subject.isWaiting, true)
  clock.advanceSync(500)
  const offline = { name: 'offline', forMs: 600, nextTryMs: 1_500, reason: 'connection refused' }
  assert.deepEqual(subject.state(1), offline)
  clock.advanceSync(5_000)
  assert.deepEqual(subject.state(1), { ...offline, forMs: 5_600, nextTryMs: 0 }, 'never less than nothing')
  subject.trying()
  assert.equal(subject.state(0).name, 'resuming')
})

test('without an outage nothing has lasted', () => {
  const { subject } = outage()
  assert.deepEqual(subject.state(0), { name: 'resuming', forMs: 0, streamsHeld: 0 })
})
