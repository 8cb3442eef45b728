import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TunnelError } from '../../src/errors.ts'
import { DetachedSessions } from '../../src/mux/detached.ts'
import type { Session } from '../../src/mux/session.ts'
import { VirtualClock } from '../support/clock.ts'

class Subject {
  readonly clock = new VirtualClock()
  /** Names of the sessions that were ended, in order. */
  readonly ended: string[] = []
  readonly sessions: DetachedSessions

  constructor(limits: { ttlMs?: number; budgetBytes?: number } = {}) {
    this.sessions = new DetachedSessions(this.clock, { ttlMs: 60_000, budgetBytes: 1_000, ...limits })
  }

  /** A session that holds `bytes`, and has just lost its carrier. */
  lose(name: string, bytes: number): { session: Session; held: { keptBytes: number } } {
    const held = { keptBytes: bytes }
    const session = {
      get keptBytes() {
        return held.keptBytes
      },
      streams: new Map(),
      close: (error: TunnelError) => {
        this.ended.push(`${name} ${error.code}`)
        this.sessions.remove(session)
      },
    } as unknown as Session
    this.sessions.add(session)
    return { session, held }
  }
}

test('a session without a carrier is kept for its time, and not longer', () => {
  const subject = new Subject()
  const { clock, ended, sessions } = subject
  subject.lose('one', 10)
  clock.advanceSync(59_999)
  assert.deepEqual([ended, sessions.size], [[], 1])
  clock.advanceSync(1)
  assert.deepEqual([ended, sessions.size, clock.timers], [['one SESSION_CLOSED'], 0, 0])
})

test('one that is resumed in time is not ended, and its time begins anew at the next loss', () => {
  const subject = new Subject()
  const { session } = subject.lose('one', 10)
  subject.clock.advanceSync(50_000)
  subject.sessions.remove(session)
  assert.equal(subject.clock.timers, 0)
  subject.clock.advanceSync(50_000)
  subject.sessions.add(session)
  subject.clock.advanceSync(50_000)
  assert.deepEqual(subject.ended, [])
})

test('when all of them hold too much, those that wait longest go, and no more than need be', () => {
  const subject = new Subject()
  for (const name of ['one', 'two', 'three']) subject.lose(name, 300)
  assert.deepEqual(subject.ended, [])
  subject.lose('four', 300)
  assert.deepEqual(subject.ended, ['one SESSION_CLOSED'])
})

test('one that grows while it waits is noticed', () => {
  const subject = new Subject()
  subject.lose('one', 300)
  const { held } = subject.lose('two', 300)
  held.keptBytes = 900
  subject.clock.advanceSync(10_000)
  assert.deepEqual(subject.ended, ['one SESSION_CLOSED'])
})
