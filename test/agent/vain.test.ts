import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VainStreams } from '../../src/agent/vain.ts'

test('C67: whoever opens streams to nothing too fast waits a moment, and nobody else does', () => {
  const state = { now: 0 }
  const vain = new VainStreams({ now: () => state.now }, 10)
  for (let count = 0; count < 50; count++) {
    vain.check('mallory')
    vain.add('mallory')
  }
  vain.check('mallory')
  vain.add('mallory')
  assert.throws(() => vain.check('mallory'), { code: 'LIMIT' })
  vain.check('ann')
  state.now += 100
  vain.check('mallory')
  vain.add('mallory')
  assert.throws(() => vain.check('mallory'), { code: 'LIMIT' })
})

test('some failures now and then are nothing', () => {
  const state = { now: 0 }
  const vain = new VainStreams({ now: () => state.now }, 10)
  for (; state.now < 100_000; state.now += 100) {
    vain.check('ann')
    vain.add('ann')
  }
})
