import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace, WORK } from '../../src/gateway/pace.ts'

function pace(workPerSecond = 10_000) {
  const state = { now: 0 }
  return { state, subject: new Pace({ now: () => state.now }, workPerSecond) }
}

test('whoever keeps below the rate never waits', () => {
  const { state, subject } = pace()
  for (; state.now < 60_000; state.now++) for (let count = 0; count < 10; count++) assert.equal(subject.spend(1), 0)
})

test('C75: whoever is faster waits as long as the work takes at the rate', () => {
  const { state, subject } = pace()
  let done = 0
  let waited = 0
  while (state.now < 10_000) {
    const waitMs = subject.spend(1)
    done++
    waited += waitMs
    state.now += waitMs
  }
  assert.ok(waited >= 9_900)
  assert.ok(done > 99_000 && done < 101_000, String(done))
})

test('what was done at once is over soon: a burst is a fiftieth of a second, and a minute at most is owed', () => {
  const { subject } = pace()
  assert.equal(subject.spend(200), 0)
  assert.ok(subject.spend(100) > 0)
  assert.equal(pace().subject.spend(1e9), 60_000)
})

test('C67: opening costs more than a message, and what is denied much more', () => {
  assert.ok(WORK.message < WORK.open && WORK.open < WORK.denied)
  const { subject } = pace()
  let denied = 0
  while (subject.spend(WORK.denied) === 0) denied++
  assert.ok(denied < 2)
})
