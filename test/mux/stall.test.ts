import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answers, Stall } from '../../src/mux/stall.ts'
import { VirtualClock } from '../support/clock.ts'

class Subject {
  readonly clock = new VirtualClock()
  answers: Answers = { awaiting: false, answers: 0 }
  /** When a stall was told. */
  readonly stalledAt: number[] = []
  recovered = 0
  readonly stall = new Stall({
    clock: this.clock,
    look: () => this.answers,
    stalled: () => this.stalledAt.push(this.clock.now()),
    recovered: () => this.recovered++,
  })

  constructor() {
    this.stall.start()
  }

  /** An answer comes, and the next one is due. */
  answer(): void {
    this.answers = { ...this.answers, awaiting: true, answers: this.answers.answers + 1 }
  }
}

test('nothing stalls while nothing is due, or while answers come', () => {
  const subject = new Subject()
  subject.clock.advanceSync(60_000)
  for (let seconds = 0; seconds < 60; seconds += 3) {
    subject.answer()
    subject.clock.advanceSync(3_000)
  }
  assert.deepEqual(subject.stalledAt, [])
})

test('an answer that is due for four seconds is a stall, until it comes', () => {
  const subject = new Subject()
  subject.answer()
  subject.clock.advanceSync(4_000)
  assert.equal(subject.stall.isStalled, false)
  subject.clock.advanceSync(500)
  assert.equal(subject.stall.isStalled, true)
  assert.equal(subject.stalledAt.length, 1)
  subject.answer()
  subject.clock.advanceSync(500)
  assert.deepEqual([subject.stall.isStalled, subject.recovered], [false, 1])
})

test('on a slow path six round trips may pass', () => {
  const subject = new Subject()
  subject.answers = { awaiting: true, answers: 1, roundTripMs: 2_000 }
  subject.clock.advanceSync(12_000)
  assert.equal(subject.stall.isStalled, false)
  subject.clock.advanceSync(500)
  assert.equal(subject.stall.isStalled, true)
})

test('each new carrier gets twice the time of the one before, until an answer comes', () => {
  const subject = new Subject()
  const gaps: number[] = []
  subject.answer()
  for (let carriers = 0; carriers < 3; carriers++) {
    const since = subject.clock.now()
    const told = subject.stalledAt.length
    while (subject.stalledAt.length === told) subject.clock.advanceSync(250)
    gaps.push(Math.round((subject.clock.now() - since) / 4_000))
    subject.stall.forget()
  }
  assert.deepEqual(gaps, [1, 2, 4])
  subject.answer()
  subject.clock.advanceSync(4_500)
  assert.equal(subject.stall.isStalled, true, 'and then it is short again')
})

test('after stop no timer is left', () => {
  const subject = new Subject()
  subject.stall.stop()
  assert.equal(subject.clock.timers, 0)
})
