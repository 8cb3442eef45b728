import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rivals } from '../../src/agent/rivals.ts'
import { VirtualClock } from '../support/clock.ts'

function rivals() {
  const clock = new VirtualClock()
  return { clock, subject: new Rivals(clock) }
}

test('three losses to the same process within a minute are enough', () => {
  const { clock, subject } = rivals()
  assert.equal(subject.lostTo('other'), false)
  clock.advanceSync(30_000)
  assert.equal(subject.lostTo('other'), false)
  clock.advanceSync(29_999)
  assert.equal(subject.lostTo('other'), true)
})

test('a loss is forgotten after a minute', () => {
  const { clock, subject } = rivals()
  for (let turn = 0; turn < 20; turn++) {
    assert.equal(subject.lostTo('other'), false, `at ${clock.now()}`)
    clock.advanceSync(30_000)
  }
})

test('replicas that start one after another are many, and none of them comes again: nobody gives way', () => {
  const { subject } = rivals()
  for (let index = 0; index < 1_000; index++) assert.equal(subject.lostTo(`replica ${index}`), false)
  assert.equal(subject.lostTo('replica 999'), false)
  assert.equal(subject.lostTo('replica 999'), true)
})
