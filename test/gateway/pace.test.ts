import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultGatewayLimits } from '../../src/gateway/limits.ts'
import { Pace } from '../../src/gateway/pace.ts'

const limits = { ...defaultGatewayLimits, controlsPerSecond: 1_000, opensPerSecond: 100, deniedPerSecond: 10 }

function pace(role: 'agent' | 'connect' = 'connect') {
  const state = { now: 0 }
  const subject = new Pace({ now: () => state.now }, role, limits)
  /** How many times `act` goes well before it is too fast. */
  const until = (act: () => void): number => {
    for (let count = 0; ; count++) {
      try {
        act()
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, 'LIMIT')
        return count
      }
    }
  }
  return { state, subject, until }
}

test('C75: messages without data may come at twice the rate for a second, and then at the rate', () => {
  const { state, subject, until } = pace()
  const most = until(() => subject.control())
  assert.ok(most >= 2_000 - 256 && most < 2_000 + 256, String(most))
  const steady = pace()
  for (steady.state.now = 0; steady.state.now < 60_000; steady.state.now++) steady.subject.control()
  state.now = 0
})

test('an ATTACH counts for many, and an agent may send more', () => {
  const few = pace()
  assert.ok(few.until(() => few.subject.control(100)) <= 20)
  const agent = pace('agent')
  assert.ok(agent.until(() => agent.subject.control()) > 15_000)
})

test('C67: connections are opened up to a rate, and denied ones up to a lower one', () => {
  const { state, subject, until } = pace()
  assert.equal(
    until(() => subject.open(true)),
    200,
  )
  state.now += 1_000
  assert.equal(
    until(() => subject.open(true)),
    100,
  )
  const denied = pace()
  assert.equal(
    denied.until(() => denied.subject.open(false)),
    50,
  )
  denied.subject.open(true)
})
