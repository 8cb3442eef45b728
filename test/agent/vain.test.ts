import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Ticket, VainStreams } from '../../src/agent/vain.ts'

function streams(perSecond = 10) {
  const state = { now: 0 }
  const vain = new VainStreams({ now: () => state.now }, perSecond)
  /** How many of `count` streams, opened at once, are let through; all of them come to nothing, or reach their service. */
  const opened = (subject: string, count: number, { target = 'db/prod:1', reach = false } = {}): number => {
    const tickets: Ticket[] = []
    for (let at = 0; at < count; at++) {
      try {
        tickets.push(vain.check(subject, target))
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, 'LIMIT')
      }
    }
    for (const ticket of tickets) {
      if (reach) vain.reached(subject, target, ticket)
      else vain.add(subject, target)
    }
    return tickets.length
  }
  return { state, opened }
}

test('C67: whoever opens streams to nothing too fast gets no more than the rate, and nobody else does', () => {
  const { state, opened } = streams()
  assert.equal(opened('mallory', 60), 60, 'nobody knows yet that they lead nowhere')
  assert.equal(opened('mallory', 100), 0)
  assert.equal(opened('ann', 5), 5)
  let total = 0
  for (; state.now < 60_000; state.now += 10) total += opened('mallory', 5)
  assert.ok(total > 590 && total <= 610, String(total))
})

test('a service that is down takes nothing from another one, until it is too much of the subject in all', () => {
  const { opened } = streams()
  opened('ann', 30)
  assert.equal(opened('ann', 1), 0)
  const target = 'web/prod:1'
  assert.equal(opened('ann', 50, { target }), 50)
  assert.equal(opened('ann', 1, { target, reach: true }), 0)
  for (let at = 0; at < 10; at++) opened('ann', 20, { target: `x${at}/prod:1` })
  assert.equal(opened('ann', 1, { target: 'other/prod:1' }), 0)
})

test('what reaches its service costs nothing, and ends the time of paying', () => {
  const { state, opened } = streams()
  opened('ann', 60)
  assert.equal(opened('ann', 1), 0)
  state.now += 200
  for (let at = 0; at < 20; at++) assert.ok(opened('ann', 2, { reach: true }) > 0)
  state.now += 1_500
  assert.ok(opened('ann', 5, { reach: true }) > 0)
  assert.equal(opened('ann', 500, { reach: true }), 500)
})

test('some failures now and then are nothing', () => {
  const { state, opened } = streams()
  for (; state.now < 100_000; state.now += 1_000) assert.equal(opened('ann', 10), 10)
})
