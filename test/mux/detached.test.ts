import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { DetachedSessions } from '../../src/mux/detached.ts'
import { Session } from '../../src/mux/session.ts'
import { VirtualClock } from '../support/clock.ts'
import { Pair } from '../support/pair.ts'

const KiB = 1024

/** Sessions that were never attached, which is how detached ones look: what they hold is what was written to them. */
function world(limits: { ttlMs?: number; budgetBytes?: number } = {}) {
  const clock = new VirtualClock()
  const detached = new DetachedSessions(clock, { ttlMs: 600_000, budgetBytes: 1024 * KiB, ...limits })
  const dropped: string[] = []
  const why: string[] = []
  const session = (name: string): Session => {
    const made: Session = new Session({
      side: 'initiator',
      clock,
      onClosed: ({ code, message }: TunnelError) => {
        detached.remove(made)
        dropped.push(`${name} ${code}`)
        why.push(message)
      },
    })
    return made
  }
  return { clock, detached, dropped, why, session }
}

/** Makes `session` hold about this much. */
function fill(session: Session, kib: number): void {
  for (let left = kib; left > 0; left -= 32) {
    const stream = session.open({})
    stream.on('error', () => {})
    stream.write(Buffer.alloc(24 * KiB))
  }
}

test('a session waits its time, each its own, and then is closed', () => {
  const { clock, detached, dropped, why, session } = world()
  detached.add(session('first'))
  clock.advanceSync(300_000)
  detached.add(session('second'))
  clock.advanceSync(299_999)
  assert.deepEqual(dropped, [])
  clock.advanceSync(1)
  assert.deepEqual(dropped, ['first SESSION_CLOSED'])
  assert.equal(detached.size, 1)
  clock.advanceSync(300_000)
  assert.equal(dropped[1], 'second SESSION_CLOSED')
  assert.match(why[1] ?? '', /without a carrier for too long/)
  assert.equal(clock.timers, 0, 'a timer is left')
})

test('a session that came back is left alone, and starts anew when it goes again', () => {
  const { clock, detached, dropped, session } = world()
  const one = session('one')
  detached.add(one)
  clock.advanceSync(599_999)
  detached.remove(one)
  assert.equal(detached.size, 0)
  assert.equal(clock.timers, 0)
  clock.advanceSync(600_000)
  detached.add(one)
  clock.advanceSync(599_999)
  assert.deepEqual(dropped, [])
  clock.advanceSync(1)
  assert.equal(dropped.length, 1)
})

test('D99: over the budget, who has waited longest goes first, and no more than must', () => {
  const { clock, detached, dropped, why, session } = world()
  const [a, b, c] = [session('a'), session('b'), session('c')]
  for (const each of [a, b, c]) fill(each, 480)
  detached.add(a)
  detached.add(b)
  clock.advanceSync(1)
  assert.deepEqual(dropped, [], 'two are within the budget')
  // It came back and went again: it has waited least now.
  detached.remove(a)
  detached.add(a)
  detached.add(c)
  assert.deepEqual(dropped, ['b SESSION_CLOSED'])
  assert.match(why[0] ?? '', /gave way/)
  assert.equal(detached.size, 2)
})

test('a session that alone is too much goes, and does not take others with it', () => {
  const { detached, dropped, session } = world()
  const [large, small] = [session('large'), session('small')]
  fill(large, 1_100)
  fill(small, 32)
  detached.add(large)
  detached.add(small)
  assert.deepEqual(dropped, ['large SESSION_CLOSED'])
})

test('what services write later counts too, within five seconds', () => {
  const { clock, detached, dropped, session } = world()
  const [first, second] = [session('first'), session('second')]
  fill(first, 480)
  fill(second, 480)
  detached.add(first)
  detached.add(second)
  fill(second, 200)
  assert.deepEqual(dropped, [])
  clock.advanceSync(5_000)
  assert.deepEqual(dropped, ['first SESSION_CLOSED'])
})

test('empty streams weigh something, too: a socket is not free', () => {
  const { detached, dropped, session } = world({ budgetBytes: 64 * KiB })
  const many = session('many')
  for (let index = 0; index < 20; index++) many.open({}).on('error', () => {})
  detached.add(many)
  assert.equal(dropped.length, 1)
})

test('what was sent and not acknowledged counts', async () => {
  const pair = new Pair()
  const { near } = await pair.open()
  near.on('error', () => {})
  pair.carriers.blackhole()
  near.write(Buffer.alloc(48 * KiB))
  await pair.clock.advance(1)
  const { initiator } = pair
  initiator.lost(new TunnelError('ROUTE_LOST', 'gone'))
  assert.equal(near.writableLength, 0, 'it has left the stream')
  const detached = new DetachedSessions(pair.clock, { ttlMs: 600_000, budgetBytes: 32 * KiB })
  detached.add(initiator)
  assert.equal(initiator.state, 'closed')
})
