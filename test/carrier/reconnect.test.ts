import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs } from '../../src/carrier/backoff.ts'
import { reconnect } from '../../src/carrier/reconnect.ts'
import { TunnelError } from '../../src/errors.ts'
import { VirtualClock } from '../support/clock.ts'

test('the first wait is short, later ones double up to ten seconds, and all of it is jitter', () => {
  const most = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1_000].map(attempt => backoffMs(attempt, 1))
  assert.deepEqual(most, [250, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
  for (const attempt of [0, 5, 1_000]) assert.equal(backoffMs(attempt, 0), 0)
  assert.equal(backoffMs(7, 0.5), 5_000)
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
    for await (const lifeMs of reconnect({ clock, random: () => 1, signal: stop.signal, dial, onRetry })) {
      await new Promise<void>(resolve => clock.after(lifeMs, resolve))
    }
  })()
  await clock.advance(10 * 60_000)
  await all
  assert.equal(clock.timers, 0)
  return { waits, failures }
}

test('failures wait longer and longer, and a life of half a minute starts over', async () => {
  const none = undefined
  const { waits, failures } = await lives([none, none, none, 29_999, none, 30_000, none, none, 0])
  assert.deepEqual(waits, [250, 200, 400, 800, 1_600, 250, 200, 400])
  assert.deepEqual(
    failures.map(code => code === 'ended'),
    [false, false, false, true, false, true, false, false],
  )
})

test('what onRetry throws ends it', async () => {
  const links = reconnect({
    clock: new VirtualClock(),
    random: () => 0,
    signal: new AbortController().signal,
    dial: () => Promise.reject(new Error('broken')),
    onRetry: (_delayMs, failure) => {
      throw failure ?? new Error('no failure')
    },
  })
  await assert.rejects(links.next(), { code: 'INTERNAL', message: 'broken' })
})

test('an abort during a wait ends it at once', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  const dial = () => Promise.reject(new TunnelError('GATEWAY_UNREACHABLE', ''))
  const next = reconnect({ clock, random: () => 1, signal: stop.signal, dial }).next()
  await clock.advance(10)
  stop.abort()
  assert.deepEqual(await next, { done: true, value: undefined })
  assert.equal(clock.timers, 0)
})
