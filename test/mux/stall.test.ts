import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answers, Stall } from '../../src/mux/stall.ts'
import { VirtualClock } from '../support/clock.ts'

/** Looks four times a second: what falls between two looks is noticed at the second. */
const LOOK_MS = 500

function watched(roundTripMs?: number) {
  const clock = new VirtualClock()
  const told: string[] = []
  const state = { awaiting: false as boolean, answers: 0, roundTripMs } satisfies Answers
  const session: { look: Answers | undefined } = { look: state }
  const stall = new Stall({
    clock,
    look: () => session.look,
    stalled: silentMs => told.push(`stalled ${silentMs}`),
    recovered: () => told.push('recovered'),
  })
  stall.start()
  return { clock, told, state, session, stall }
}

test('an answer that is due for four seconds is a stall, and not before', () => {
  const { clock, told, state, stall } = watched()
  state.awaiting = true
  clock.advanceSync(LOOK_MS + 4_000 - 1)
  assert.deepEqual(told, [])
  assert.equal(stall.isStalled, false)
  clock.advanceSync(1)
  assert.deepEqual(told, ['stalled 4000'])
  assert.equal(stall.isStalled, true)
})

test('nothing is due, or answers keep coming: never a stall', () => {
  const { clock, told, state, stall } = watched()
  clock.advanceSync(3_600_000)
  state.awaiting = true
  for (let turn = 0; turn < 100; turn++) {
    clock.advanceSync(3_900)
    state.answers++
  }
  assert.deepEqual(told, [])
  clock.advanceSync(1_000)
  state.awaiting = false
  clock.advanceSync(3_600_000)
  assert.deepEqual(told, [])
  assert.equal(stall.silentMs, 0)
})

test('the silence counts from when an answer became due', () => {
  const { clock, told, state, stall } = watched()
  clock.advanceSync(10_000)
  state.awaiting = true
  clock.advanceSync(1_500 + LOOK_MS)
  assert.ok(Math.abs(stall.silentMs - 1_500) <= LOOK_MS, `${stall.silentMs}`)
  assert.deepEqual(told, [])
})

test('on a slow path it takes six round trips', () => {
  const { clock, told, state } = watched(2_000)
  state.awaiting = true
  clock.advanceSync(LOOK_MS + 12_000 - 1)
  assert.deepEqual(told, [])
  clock.advanceSync(1)
  assert.deepEqual(told, ['stalled 12000'])
})

test('each stall in a row takes twice as long as the one before, also over new carriers', () => {
  const { clock, told, state, stall } = watched()
  state.awaiting = true
  clock.advanceSync(LOOK_MS + 4_000 + 4_000)
  assert.deepEqual(told, ['stalled 4000', 'stalled 8000'])
  stall.forget()
  assert.equal(stall.isStalled, false)
  assert.equal(stall.silentMs, 0)
  clock.advanceSync(LOOK_MS + 16_000 - 1)
  assert.equal(told.length, 2)
  clock.advanceSync(1)
  assert.deepEqual(told.slice(2), ['stalled 16000'])
})

test('an answer ends a stall, is told once, and the next takes four seconds again', () => {
  const { clock, told, state, stall } = watched()
  state.awaiting = true
  clock.advanceSync(LOOK_MS + 8_000)
  state.answers++
  clock.advanceSync(LOOK_MS)
  assert.deepEqual(told, ['stalled 4000', 'stalled 8000', 'recovered'])
  assert.equal(stall.isStalled, false)
  clock.advanceSync(4_000)
  assert.equal(told.at(-1), 'stalled 4000')
  assert.equal(told.length, 4)
})

test('forgetting tells nobody, and neither does an answer after it', () => {
  const { clock, told, state, stall } = watched()
  state.awaiting = true
  clock.advanceSync(LOOK_MS + 4_000)
  stall.forget()
  state.answers++
  state.awaiting = false
  clock.advanceSync(60_000)
  assert.deepEqual(told, ['stalled 4000'])
})

test('while there is no session, nothing is due', () => {
  const { clock, told, session, state } = watched()
  state.awaiting = true
  clock.advanceSync(3_000)
  session.look = undefined
  clock.advanceSync(60_000)
  session.look = state
  clock.advanceSync(4_000)
  assert.deepEqual(told, [])
  clock.advanceSync(LOOK_MS)
  assert.deepEqual(told, ['stalled 4000'])
})

test('stopped, it leaves no timer, and looks no more', () => {
  const { clock, told, state, stall } = watched()
  state.awaiting = true
  stall.start()
  assert.equal(clock.timers, 1, 'started twice, it looks once')
  stall.stop()
  assert.equal(clock.timers, 0)
  clock.advanceSync(60_000)
  assert.deepEqual(told, [])
})
