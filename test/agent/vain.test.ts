import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VainStreams } from '../../src/agent/vain.ts'

function streams(perSecond = 10) {
  const state = { now: 0 }
  const vain = new VainStreams({ now: () => state.now }, perSecond)
  /** How many of `count` streams, opened at once, are served. */
  const served = (subject: string, count: number): number => {
    let passed = 0
    for (let at = 0; at < count; at++) {
      try {
        vain.check(subject)
        passed++
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, 'LIMIT')
      }
    }
    for (let at = 0; at < passed; at++) vain.add(subject)
    return passed
  }
  return { state, served }
}

test('C67: whoever opens streams to nothing too fast gets no more than the rate, and nobody else does', () => {
  const { state, served } = streams()
  assert.equal(served('mallory', 100), 100, 'nobody knows yet that they lead nowhere')
  assert.equal(served('mallory', 100), 0)
  assert.equal(served('ann', 5), 5)
  let total = 0
  for (; state.now < 60_000; state.now += 10) total += served('mallory', 5)
  assert.ok(total > 590 && total <= 610, String(total))
})

test('when it is over, the subject is served as before', () => {
  const { state, served } = streams()
  served('ann', 100)
  assert.equal(served('ann', 1), 0)
  state.now += 1_500
  assert.equal(served('ann', 50), 50)
})

test('some failures now and then are nothing', () => {
  const { state, served } = streams()
  for (; state.now < 100_000; state.now += 1_000) assert.equal(served('ann', 10), 10)
})
