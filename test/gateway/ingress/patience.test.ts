import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Patience } from '../../../src/gateway/ingress/patience.ts'
import { VirtualClock } from '../../support/clock.ts'

function start() {
  const clock = new VirtualClock()
  return { clock, patience: new Patience(clock) }
}

test('what stands still is ended once, at most a second late, and leaves no timer', () => {
  const { clock, patience } = start()
  let expired = 0
  patience.watch(2_500, () => expired++)
  clock.advanceSync(2_499)
  assert.equal(expired, 0)
  clock.advanceSync(1_001)
  assert.equal(expired, 1)
  clock.advanceSync(10_000)
  assert.deepEqual([expired, clock.timers], [1, 0])
})

test('what moves is not ended, by itself or by a note, and may be given another limit', () => {
  const { clock, patience } = start()
  const expired: string[] = []
  let bytes = 0
  patience.watch(
    2_000,
    () => expired.push('seen'),
    () => bytes,
  )
  const noted = patience.watch(2_000, () => expired.push('noted'))
  for (let i = 0; i < 10; i++) {
    bytes++
    noted.moved()
    clock.advanceSync(1_500)
  }
  assert.deepEqual(expired, [])
  noted.moved(10_000)
  clock.advanceSync(5_000)
  assert.deepEqual(expired, ['seen'])
  clock.advanceSync(6_000)
  assert.deepEqual(expired, ['seen', 'noted'])
})

test('who is released is never ended, and one may be released by the end of another', () => {
  const { clock, patience } = start()
  let expired = 0
  const second = { release() {} }
  patience.watch(1_000, () => {
    expired++
    second.release()
  })
  second.release = patience.watch(1_000, () => expired++).release
  patience.watch(1_000, () => expired++).release()
  clock.advanceSync(5_000)
  assert.deepEqual([expired, clock.timers], [1, 0])
})
