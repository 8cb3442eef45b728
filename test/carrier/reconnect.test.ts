import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs } from '../../src/carrier/backoff.ts'
import { Reconnect } from '../../src/carrier/reconnect.ts'
import { TunnelError } from '../../src/errors.ts'
import { VirtualClock } from '../support/clock.ts'

test('the first wait is short, later ones double up to half a second, then two, then ten, and all of it is jitter', () => {
  const most = [0, 1, 2, 3, 9, 10, 29, 30, 1_000].map(attempt => backoffMs(attempt, 1))
  assert.deepEqual(most, [250, 200, 400, 500, 500, 2_000, 2_000, 10_000, 10_000])
  for (const attempt of [0, 5, 1_000]) assert.equal(backoffMs(attempt, 0), 0)
  assert.equal(backoffMs(12, 0.5), 1_000)
})

/** Dials that live as long as the list says; `undefined` is a dial that fails. */
async function lives(livesMs: readonly (number | undefined)[]): Promise<{ waits: number[]; failures: string[] }> {
  const clock = new VirtualClock()
  const stop = new AbortController()
  const waits: number[] = []
  const failures: string[] = []
  const left = [...livesMs]
  const dial = async () => {
    const lifeMs = left.shift()
    if (left.length === 0) stop.abort()
    if (lifeMs === undefined) throw new TunnelError('GATEWAY_UNREACHABLE', 'no')
    return lifeMs
  }
  const onRetry = (delayMs: number, failure: TunnelError | undefined) => {
    waits.push(delayMs)
    failures.push(failure?.code ?? 'ended')
  }
  const all = (async () => {
    for await (const lifeMs of new Reconnect({ clock, random: () => 1, signal: stop.signal, dial, onRetry })) {
      await new Promise<void>(resolve => clock.after(lifeMs, resolve))
    }
  })()
  await clock.advance(10 * 60_000)
  await all
  assert.equal(clock.timers, 0)
  return { waits, failures }
}

test('failures wait longer and longer, and a life of a second starts over', async () => {
  const none = undefined
  const { waits, failures } = await lives([none, none, none, 999, none, 1_000, none, none, 0])
  assert.deepEqual(waits, [250, 200, 400, 500, 500, 250, 200, 400])
  assert.deepEqual(
    failures.map(code => code === 'ended'),
    [false, false, false, true, false, true, false, false],
  )
})

test('what onRetry throws ends it', async () => {
  const links = new Reconnect({
    clock: new VirtualClock(),
    random: () => 0,
    signal: new AbortController().signal,
    dial: () => Promise.reject(new Error('broken')),
    onRetry: (_delayMs, failure) => {
      throw failure ?? new Error('no failure')
    },
  })
  await assert.rejects(links[Symbol.asyncIterator]().next(), { code: 'INTERNAL', message: 'broken' })
})

test('an abort during a wait ends it at once', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  const dial = () => Promise.reject(new TunnelError('GATEWAY_UNREACHABLE', ''))
  const links = new Reconnect({ clock, random: () => 1, signal: stop.signal, dial })
  const next = links[Symbol.asyncIterator]().next()
  await clock.advance(10)
  stop.abort()
  assert.deepEqual(await next, { done: true, value: undefined })
  assert.equal(clock.timers, 0)
})

test('in a hurry nothing waits: not a wait, not a dial that hangs, and not the successor of what still lives', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  let dials = 0
  const dial = (signal: AbortSignal) => {
    dials++
    if (dials === 1) return Promise.reject(new TunnelError('GATEWAY_UNREACHABLE', ''))
    if (dials === 3) return Promise.resolve('live')
    return new Promise<string>((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))))
  }
  const links = new Reconnect({ clock, random: () => 1, signal: stop.signal, dial })
  const iterator = links[Symbol.asyncIterator]()
  const first = iterator.next()
  await clock.advance(10)
  links.hurry()
  await clock.runUntilIdle()
  assert.equal(dials, 2)
  links.hurry()
  assert.deepEqual(await first, { done: false, value: 'live' })
  links.hurry()
  const second = iterator.next()
  await clock.runUntilIdle()
  assert.equal(dials, 4)
  stop.abort()
  assert.deepEqual(await second, { done: true, value: undefined })
  assert.equal(clock.timers, 0)
})
