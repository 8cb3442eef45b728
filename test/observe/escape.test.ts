import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeText } from '../../src/observe/escape.ts'

/** Written out by hand, so that it does not share a mistake with the Unicode properties the code uses. */
const dangerous: readonly (readonly [from: number, to: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x061c, 0x061c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
]

const isDangerous = (character: string): boolean => {
  const code = character.codePointAt(0) ?? 0
  return dangerous.some(([from, to]) => code >= from && code <= to)
}

const codePoint = fc.oneof(
  fc.integer({ min: 0, max: 0x10ffff }),
  fc.constantFrom(...dangerous.flat()),
  fc.integer({ min: 0x20, max: 0x7e }),
)
const anyText = fc.oneof(
  fc.array(codePoint, { maxLength: 400 }).map(codes => codes.map(code => String.fromCodePoint(code)).join('')),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 400 }).map(units => String.fromCharCode(...units)),
)

test('no text whatever gets a dangerous character through', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 300 }), (text, maxLength) => {
      const shown = escapeText(text, maxLength)
      assert.deepEqual([...shown].filter(isDangerous), [])
      assert.ok(shown.length <= maxLength, `${shown.length} units`)
    }),
  )
})

test('every dangerous character is escaped, one by one', () => {
  for (const [from, to] of dangerous) {
    for (let code = from; code <= to; code++) {
      assert.match(escapeText(String.fromCodePoint(code)), /^\\(x[0-9a-f]{2}|u\{[0-9a-f]{4,6}\})$/)
    }
  }
})

test('escaping twice is escaping once', () => {
  fc.assert(
    fc.property(anyText, text => {
      const once = escapeText(text, 10_000)
      assert.equal(escapeText(once, 10_000), once)
    }),
  )
})

test('ordinary text in any language is left alone', () => {
  for (const text of [
    'db/prod:5432',
    'C:\\temp',
    'Verbindung abgelehnt – Büro',
    '接続が拒否されました',
    'отказано',
    '🚇',
  ]) {
    assert.equal(escapeText(text), text)
  }
})

test('controls are written as \\xNN and wider characters as \\u{NNNN}', () => {
  assert.equal(escapeText('a\u001b[31mb\r\nc\u007f\u009b'), 'a\\x1b[31mb\\x0d\\x0ac\\x7f\\x9b')
  assert.equal(escapeText('user\u202etxt.exe'), 'user\\u{202e}txt.exe')
  assert.equal(escapeText('a\ud800b'), 'a\\u{d800}b')
  assert.equal(escapeText('\u{e0041}'), '\\u{e0041}')
})

test('long text ends in an ellipsis within the given length', () => {
  assert.equal(escapeText('x'.repeat(256)), 'x'.repeat(256))
  assert.equal(escapeText('x'.repeat(257)), `${'x'.repeat(255)}…`)
  assert.equal(escapeText('abcdef', 4), 'abc…')
  assert.equal(escapeText('abcdef', 1), '…')
})

test('neither an escape nor a surrogate pair is cut in two', () => {
  assert.equal(escapeText('ab\u001b', 5), 'ab…')
  assert.equal(escapeText('ab\u001b', 6), 'ab\\x1b')
  assert.equal(escapeText('ab🚇cd', 4), 'ab…')
  assert.equal(escapeText('ab🚇cd', 5), 'ab🚇…')
})
