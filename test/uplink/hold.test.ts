import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { Hold } from '../../src/uplink/hold.ts'
import { VirtualClock } from '../support/clock.ts'
import { Pair } from '../support/pair.ts'

function hold(holdMs = 30_000) {
  const clock = new VirtualClock()
  const told: string[] = []
  const subject = new Hold({ clock, holdMs, why: () => new TunnelError('GATEWAY_UNREACHABLE', 'no gateway') })
  const waiter = (name: string) => ({
    ready: () => told.push(`${name} ready`),
    expired: ({ code }: TunnelError) => told.push(`${name} ${code}`),
  })
  return { clock, told, subject, waiter }
}

test('each waits for its own time, and then is told why', () => {
  const { clock, told, subject, waiter } = hold()
  subject.add(waiter('first'))
  clock.advanceSync(10_000)
  subject.add(waiter('second'))
  clock.advanceSync(19_999)
  assert.deepEqual(told, [])
  assert.equal(subject.size, 2)
  clock.advanceSync(1)
  assert.deepEqual(told, ['first GATEWAY_UNREACHABLE'])
  clock.advanceSync(10_000)
  assert.deepEqual(told.slice(1), ['second GATEWAY_UNREACHABLE'])
  assert.equal(subject.size, 0)
})

test('released, all go on in the order in which they came, and their time is forgotten', () => {
  const { clock, told, subject, waiter } = hold()
  for (const name of ['a', 'b', 'c']) subject.add(waiter(name))
  subject.release()
  assert.deepEqual(told, ['a ready', 'b ready', 'c ready'])
  assert.equal(subject.size, 0)
  assert.equal(clock.timers, 0)
  subject.release()
  assert.equal(told.length, 3)
})

test('who comes while the others are released waits for the next time', () => {
  const { told, subject, waiter } = hold()
  subject.add({ ready: () => subject.add(waiter('late')), expired: () => {} })
  subject.release()
  assert.deepEqual(told, [])
  assert.equal(subject.size, 1)
})

test('who has left is told nothing', () => {
  const { clock, told, subject, waiter } = hold()
  const leave = subject.add(waiter('gone'))
  leave()
  leave()
  assert.equal(subject.size, 0)
  assert.equal(clock.timers, 0)
  subject.release()
  assert.deepEqual(told, [])
})

test('the thousand and twenty-fifth is refused, and has room when one has left', () => {
  const { subject, waiter } = hold()
  const leave = Array.from({ length: 1_024 }, (_, index) => subject.add(waiter(`${index}`)))
  assert.throws(() => subject.add(waiter('one more')), { code: 'LIMIT', message: /1024 connections wait already/ })
  assert.equal(subject.size, 1_024)
  leave[7]?.()
  subject.add(waiter('one more'))
  assert.equal(subject.size, 1_024)
})

test('cleared, nobody is told any more, and no timer is left', () => {
  const { clock, told, subject, waiter } = hold()
  subject.add(waiter('a'))
  subject.clear()
  assert.equal(clock.timers, 0)
  clock.advanceSync(60_000)
  subject.release()
  assert.deepEqual(told, [])
})

test('a stream is reset when its time is up, and waits no more when it has ended or goes on', async () => {
  const pair = new Pair()
  const { clock } = pair
  const subject = new Hold({ clock, holdMs: 1_000, why: () => new TunnelError('AGENT_UNAVAILABLE', 'no agent') })
  const codes: string[] = []
  let listeners = 0
  const open = async () => {
    const { near } = await pair.open()
    listeners = near.listenerCount('close')
    near.on('error', error => codes.push((error as TunnelError).code))
    subject.addStream(near)
    return near
  }
  const [late, ended, released] = [await open(), await open(), await open()]
  ended.destroy()
  await clock.runUntilIdle()
  assert.equal(subject.size, 2)
  await clock.advance(500)
  assert.deepEqual(codes, [])
  subject.release()
  assert.equal(released.listenerCount('close'), listeners, 'a listener is left behind')
  subject.addStream(late)
  await clock.advance(1_000)
  assert.deepEqual(codes, ['AGENT_UNAVAILABLE'])
  assert.equal(late.destroyed, true)
  assert.equal(released.destroyed, false)
})

test('a stream for which there is no room is reset at once', async () => {
  const pair = new Pair()
  const subject = new Hold({ clock: pair.clock, holdMs: 1_000, why: () => new TunnelError('GONE', '') })
  for (let index = 0; index < 1_024; index++) subject.add({ ready: () => {}, expired: () => {} })
  const { near } = await pair.open()
  const failed = new Promise<TunnelError>(resolve => near.once('error', error => resolve(error as TunnelError)))
  subject.addStream(near)
  assert.equal((await failed).code, 'LIMIT')
})
