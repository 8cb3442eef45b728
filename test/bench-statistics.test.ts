import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseStat, processorSeconds } from '../bench/cpu.ts'
import { fullAfterMs, ratePerMs } from '../bench/measures/reach.ts'
import type { Poured } from '../bench/processes/pouring.ts'
import { jain, quantile, ratio, summarize } from '../bench/statistics.ts'

describe('statistics of the bench', () => {
  test('a median is the middle sample, or the mean of the two middle ones', () => {
    assert.deepEqual(summarize([5, 1, 3]), { median: 3, min: 1, max: 5 })
    assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5)
  })

  test('a percentile is a sample, and the last one for a short list', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
    assert.equal(quantile(hundred, 0.99), 99)
    assert.equal(quantile([7, 9], 0.99), 9)
    assert.throws(() => quantile([], 0.5), RangeError)
  })

  test('a ratio compares round by round and passes over rounds that only one has', () => {
    assert.equal(ratio([10, 200, 30], [5, 100, 10]), 2)
    assert.equal(ratio([10, undefined, 30], [5, 100, undefined]), 2)
    assert.equal(ratio([10], []), undefined)
  })

  test('shares are equal to the degree that Jain gives them', () => {
    assert.equal(jain([7, 7, 7]), 1)
    assert.equal(jain([9, 0, 0]), 1 / 3)
    assert.ok(jain([10, 9, 8]) > 0.95 && jain([10, 1, 1]) < 0.5)
  })
})

describe('how one stream reaches the rate of a link', () => {
  /** 100 bytes in each 10 ms, from `start` on; 10 before. */
  const course = (start: number): Poured[] => {
    const moments: Poured[] = []
    let bytes = 0
    for (let ms = 0; ms <= 1_000; ms += 10) {
      moments.push({ ms, bytes: [bytes] })
      bytes += ms >= start ? 100 : 10
    }
    return moments
  }

  test('is the rate from a moment on', () => {
    assert.equal(ratePerMs(course(500), 500), 80)
    assert.equal(ratePerMs(course(0), 0), 80)
    assert.throws(() => ratePerMs(course(0), 2_000), /too short/)
    const late = course(0)
      .filter(({ ms }) => ms === 0 || ms >= 1_000)
      .slice(0, 2)
    assert.equal(ratePerMs(late, 500), 80)
  })

  test('is the end of the first window that is full', () => {
    assert.equal(fullAfterMs(course(0), 80, 200), 200)
    assert.equal(fullAfterMs(course(300), 80, 200), 500)
    assert.equal(fullAfterMs(course(0), 81, 200), undefined)
  })
})

describe('processor time', () => {
  test('counts user and system time, and that of children that have ended', () => {
    const rest = Array.from({ length: 30 }, (_, index) => index + 100)
    const line = `42 (a ) name) S 7 ${[1, 2, 3, 4, 5, 6, 7, 8, 9].join(' ')} 10 20 30 40 ${rest.join(' ')}`
    assert.deepEqual(parseStat(line), { parent: 7, ticks: 100 })
    assert.equal(parseStat(''), undefined)
  })

  test('of this process is some, and of none is unknown', { skip: process.platform !== 'linux' }, () => {
    assert.ok((processorSeconds(process.pid) ?? 0) > 0)
    assert.equal(processorSeconds(2 ** 30), undefined)
  })
})
