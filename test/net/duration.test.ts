import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TunnelError } from '../../src/errors.ts'
import { formatDuration, parseDuration } from '../../src/net/duration.ts'

test('a duration is whole units, largest first, each at most once', () => {
  const table: [string, number][] = [
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['8h', 28_800_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['5m5ms', 300_005],
  ]
  for (const [text, ms] of table) assert.equal(parseDuration(text), ms, text)
})

test('anything else is a usage error that shows the text and an example', () => {
  const bad = ['', ' ', '8', '8 h', '8H', 'h', '-1s', '+1s', '1.5h', '1m1h', '1s1s', '8h\n', '1e3s', 'Infinity', '0x1s']
  for (const text of [...bad, `${'9'.repeat(30)}d`]) {
    assert.throws(
      () => parseDuration(text),
      (thrown: unknown) =>
        thrown instanceof TunnelError &&
        thrown.code === 'USAGE' &&
        thrown.message.includes(JSON.stringify(text)) &&
        thrown.hint.includes('8h'),
      JSON.stringify(text),
    )
  }
})

test('any text is a whole, finite number of milliseconds or a usage error of bounded length', () => {
  const near = fc.stringMatching(/^([0-9]{1,20}(d|h|m|s|ms|x)?){0,6}$/)
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), near), text => {
      try {
        const ms = parseDuration(text)
        assert.ok(Number.isSafeInteger(ms) && ms >= 0)
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'USAGE')
        assert.ok(thrown.message.length < 300)
      }
    }),
  )
})

test('the parts of a duration add up', () => {
  const part = fc.nat({ max: 999 })
  fc.assert(
    fc.property(part, part, part, part, part, (d, h, m, s, ms) => {
      const sum = (((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms
      assert.equal(parseDuration(`${d}d${h}h${m}m${s}s${ms}ms`), sum)
    }),
  )
})

test('people read one number and one unit', () => {
  const table: [number, string][] = [
    [-5, '0 ms'],
    [0, '0 ms'],
    [250.4, '250 ms'],
    [999, '999 ms'],
    [3000, '3 s'],
    [90_000, '90 s'],
    [120_000, '2 min'],
    [1_800_000, '30 min'],
    [3 * 3_600_000, '3 h'],
    [8 * 3_600_000 - 300, '8 h'],
    [24 * 3_600_000, '24 h'],
    [5 * 86_400_000, '5 d'],
  ]
  for (const [ms, text] of table) assert.equal(formatDuration(ms), text)
})
