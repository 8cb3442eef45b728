import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchWake } from '../../src/carrier/wake.ts'
import { VirtualClock } from '../support/clock.ts'

function watched() {
  const clock = new VirtualClock()
  /** By how much the time of day has run ahead of the monotonic clock. */
  let ahead = 0
  const sleeps: number[] = []
  const stop = watchWake({ clock, wallNow: () => 1e12 + clock.now() + ahead, woken: sleptMs => sleeps.push(sleptMs) })
  const jump = (ms: number) => {
    ahead += ms
  }
  return { clock, sleeps, stop, jump }
}

test('time that goes by as it should is no sleep', () => {
  const { clock, sleeps } = watched()
  clock.advanceSync(3_600_000)
  assert.deepEqual(sleeps, [])
})

test('a sleep of more than five seconds is told once, within a second', () => {
  const { clock, sleeps, jump } = watched()
  clock.advanceSync(10_500)
  jump(5_001)
  clock.advanceSync(1_000)
  assert.deepEqual(sleeps, [5_001])
  clock.advanceSync(60_000)
  assert.equal(sleeps.length, 1)
})

test('five seconds are none: a busy machine is not asleep, and neither is one whose clock is set right step by step', () => {
  const { clock, sleeps, jump } = watched()
  for (let turn = 0; turn < 10; turn++) {
    jump(5_000)
    clock.advanceSync(1_000)
  }
  assert.deepEqual(sleeps, [])
})

test('a clock that is set back is no sleep, and hides none that follows', () => {
  const { clock, sleeps, jump } = watched()
  jump(-3_600_000)
  clock.advanceSync(2_000)
  assert.deepEqual(sleeps, [])
  jump(8 * 3_600_000)
  clock.advanceSync(1_000)
  assert.deepEqual(sleeps, [8 * 3_600_000])
})

test('stopped, it looks no more', () => {
  const { clock, sleeps, stop, jump } = watched()
  clock.advanceSync(5_000)
  stop()
  assert.equal(clock.timers, 0)
  jump(60_000)
  clock.advanceSync(60_000)
  assert.deepEqual(sleeps, [])
})
