import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ping } from '../../src/mux/ping.ts'
import { VirtualClock } from '../support/clock.ts'

function pinging(intervalMs = 1_000): { clock: VirtualClock; sent: number[]; ping: Ping } {
  const clock = new VirtualClock()
  const sent: number[] = []
  return { clock, sent, ping: new Ping({ clock, intervalMs, send: nonce => sent.push(nonce) }) }
}

test('it pings at once, soon again, and then every interval, as long as it is answered', () => {
  const { clock, sent, ping } = pinging()
  ping.start()
  const counts = [0, 250, 1_000, 1_000].map(ms => {
    clock.advanceSync(ms)
    for (const nonce of sent) ping.pong(nonce)
    return sent.length
  })
  assert.deepEqual(counts, [1, 2, 3, 4])
  assert.equal(new Set(sent).size, 4, 'no nonce is used twice')
})

test('an answer to a ping of an earlier carrier says nothing of the present one', () => {
  const { clock, sent, ping } = pinging()
  ping.start()
  clock.advanceSync(100)
  ping.stop()
  clock.advanceSync(5_000)
  ping.start()
  clock.advanceSync(10)
  ping.pong(sent[0] ?? 0)
  assert.equal(ping.baseMs, undefined)
  ping.pong(sent[1] ?? 0)
  assert.equal(ping.baseMs, 10)
})

test('an answer that comes twice counts once', () => {
  const { clock, sent, ping } = pinging()
  ping.start()
  clock.advanceSync(7)
  for (let times = 0; times < 2; times++) ping.pong(sent[0] ?? 0)
  assert.deepEqual(ping.statistics?.recentMs, [7])
})

test('a ping that is not answered is not followed by another', () => {
  const { clock, sent, ping } = pinging()
  ping.start()
  clock.advanceSync(60_000)
  assert.equal(sent.length, 1)
})

test('the base is the least of the latest answers, however long the queues are', () => {
  const { clock, sent, ping } = pinging()
  ping.start()
  for (const answerAt of [30, 250 + 5, 1_250 + 400]) {
    clock.advanceSync(answerAt - clock.now())
    ping.pong(sent.at(-1) ?? 0)
  }
  assert.deepEqual(ping.statistics?.recentMs, [30, 5, 400])
  assert.equal(ping.baseMs, 5)
})

test('after stop no timer is left', () => {
  const { clock, ping } = pinging()
  ping.start()
  ping.stop()
  assert.equal(clock.timers, 0)
})

test('a ping that met a stall counts as answered, but not as a measurement', () => {
  const { clock, sent, ping } = pinging()
  ping.start()
  clock.advanceSync(12_000)
  ping.distrust()
  ping.pong(sent[0] ?? 0)
  assert.deepEqual([ping.answers, ping.latestMs, ping.baseMs], [1, undefined, undefined])
  clock.advanceSync(1_000)
  clock.advanceSync(5)
  ping.pong(sent[1] ?? 0)
  assert.equal(ping.answers, 2)
  assert.ok((ping.latestMs ?? Number.NaN) <= 1_005)
})
