import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  bytesWidth,
  formatBytes,
  formatElapsed,
  formatMs,
  formatRate,
  rateWidth,
  sparkline,
} from '../../../src/cli/output/units.ts'

test('bytes have at most three digits and an SI unit', () => {
  const expected: [number, string][] = [
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [1234, '1.23 kB'],
    [34_500_000, '34.5 MB'],
    [345_000_000, '345 MB'],
    [1_100_000_000, '1.10 GB'],
    [2e15, '2.00 PB'],
  ]
  for (const [bytes, text] of expected) assert.equal(formatBytes(bytes), text)
})

test('a number that rounds up to four digits moves to the next unit', () => {
  assert.equal(formatBytes(999.4), '999 B')
  assert.equal(formatBytes(999_499), '999 kB')
  assert.equal(formatBytes(999_500), '1.00 MB')
  assert.equal(formatBytes(9_999), '10.0 kB')
  assert.equal(formatBytes(99_960), '100 kB')
})

test('what is no amount is nothing', () => {
  for (const value of [-1, Number.NaN, -Infinity]) assert.equal(formatBytes(value), '0 B')
  assert.equal(formatMs(Number.NaN), '0 ms')
  assert.equal(formatElapsed(-5), '0 s')
})

test('bytes and rates never get wider than they say', () => {
  const anything = fc.oneof(fc.double(), fc.double({ min: 0, max: 1e21 }), fc.nat())
  fc.assert(
    fc.property(anything, bytes => {
      assert.ok(formatBytes(bytes).length <= bytesWidth, formatBytes(bytes))
      assert.ok(formatRate(bytes).length <= rateWidth, formatRate(bytes))
      assert.match(formatBytes(bytes), /^(\d{1,3}|\d\.\d\d|\d\d\.\d) (|[kMGTPE])B$/)
    }),
  )
})

test('a measured span keeps the digits that matter', () => {
  const expected: [number, string][] = [
    [0.314, '0.31 ms'],
    [0.996, '1.0 ms'],
    [2.44, '2.4 ms'],
    [9.96, '10 ms'],
    [23.4, '23 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [3210, '3.2 s'],
    [9960, '10 s'],
    [45_000, '45 s'],
    [59_600, '59 s'],
    [12 * 60_000, '12 min'],
  ]
  for (const [ms, text] of expected) assert.equal(formatMs(ms), text)
})

test('time that goes by is in whole units that have passed', () => {
  const expected: [number, string][] = [
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_599_999, '59 min'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [3 * 86_400_000 + 4 * 3_600_000, '3 d 4 h'],
  ]
  for (const [ms, text] of expected) assert.equal(formatElapsed(ms), text)
})

test('a sparkline has a bar per value, from the smallest to the largest', () => {
  assert.equal(sparkline([]), '')
  assert.equal(sparkline([0, 0]), '▁▁')
  assert.equal(sparkline([1, 2, 3, 4, 5, 6, 7, 8]), '▁▂▃▄▅▆▇█')
})

test('jitter looks calm and a spike does not', () => {
  assert.equal(sparkline([22, 23, 24, 22]), '▁▁▂▁')
  assert.equal(sparkline([22, 23, 220]), '▁▁█')
  assert.equal(sparkline([0.2, 0.3, 0.6], 2), '▁▁▂')
})
