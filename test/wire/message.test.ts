import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BATCH_HEADER_BYTES,
  checkHeader,
  decodeAck,
  decodeAttachment,
  decodeBatchHeader,
  decodeDetach,
  decodeJson,
  decodePing,
  encodeAck,
  encodeAttachment,
  encodeDetach,
  encodeJson,
  encodePing,
  HEADER_BYTES,
  Kind,
  kindOf,
  MAX_JSON_BYTES,
  MAX_REASON_BYTES,
  parseJson,
  routeOf,
  setRoute,
  truncateUtf8,
} from '../../src/wire/message.ts'
import { almostMessage, message, u16, u32 } from './arbitraries.ts'
import { vectors } from './document.ts'
import { fromPlain, toPlain } from './plain.ts'
import { assertViolation, valueOrViolation } from './total.ts'

const decoders = {
  checkHeader,
  decodeJson,
  decodeAttachment,
  decodeDetach,
  decodeBatchHeader,
  decodeAck,
  decodePing,
  parseJson,
  toPlain,
}

const detachment = { final: true, code: 1, retryMs: 0 }

test('what was encoded decodes to the same', () => {
  fc.assert(
    fc.property(message, plain => assert.deepEqual(toPlain(fromPlain(plain)), plain)),
    { numRuns: 1_000 },
  )
})

test('any bytes at all give a value or PROTOCOL, from every decoder', () => {
  const bytes = fc.uint8Array({ maxLength: 80 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(fc.oneof(bytes, almostMessage), input => {
      for (const decode of Object.values(decoders)) valueOrViolation<unknown>(() => decode(input))
    }),
    { numRuns: 3_000 },
  )
})

test('a decoder changes nothing in the message', () => {
  fc.assert(
    fc.property(fc.oneof(almostMessage, message.map(fromPlain)), input => {
      const before = Buffer.from(input)
      for (const decode of Object.values(decoders)) valueOrViolation<unknown>(() => decode(input))
      assert.deepEqual(input, before)
    }),
  )
})

test('every bit of every message counts, but for the flags and the two bytes before a nonce', () => {
  for (const { name, bytes, value } of vectors()) {
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const mutated = Buffer.from(bytes)
        mutated.writeUInt8((mutated[at] ?? 0) ^ (1 << bit), at)
        const decoded = valueOrViolation(() => toPlain(mutated))
        const where = `bit ${bit} of byte ${at} of ${name}`
        if (isFree(bytes, at, bit)) assert.deepEqual(decoded?.value, value, where)
        else assert.notDeepEqual(decoded?.value, value, where)
      }
    }
  }
})

test('every byte of every message may become any other without more than a violation', () => {
  for (const { bytes } of vectors()) {
    const mutated = Buffer.from(bytes)
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0x00, 0x01, 0x22, 0x7b, 0x7f, 0x80, 0xfe, 0xff]) {
        mutated[at] = byte
        valueOrViolation(() => toPlain(mutated))
      }
      mutated[at] = bytes[at] ?? 0
    }
  }
})

test('C45: a message that is cut short is a violation wherever a fixed part or JSON is missing', () => {
  const fixedBytes: Record<string, number> = { DETACH: 12, BATCH: 18 }
  fc.assert(
    fc.property(message, plain => {
      const whole = fromPlain(plain)
      const fixed = fixedBytes[plain.kind] ?? whole.length
      for (let length = 0; length < fixed; length++) {
        assertViolation(() => toPlain(whole.subarray(0, length)), `${plain.kind} of ${length} bytes`)
      }
    }),
  )
})

test('a DETACH that is cut in its reason is a shorter reason', () => {
  const whole = encodeDetach(1, { ...detachment, reason: 'gone' })
  for (let length = 12; length <= whole.length; length++) {
    assert.equal(decodeDetach(whole.subarray(0, length)).reason, 'gone'.slice(0, length - 12))
  }
})

test('a byte too many is a violation where the length is fixed, and after JSON', () => {
  fc.assert(
    fc.property(message, plain => {
      if (plain.kind === 'DETACH') return
      const longer = Buffer.concat([fromPlain(plain), Buffer.alloc(1)])
      assertViolation(() => toPlain(longer), plain.kind)
    }),
  )
})

test('JSON may have 8 KiB and not a byte more', () => {
  const padded = (bytes: number) => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) })
  const attachment = { epoch: 1, sessionId: Buffer.alloc(16), expected: 0 }
  for (const encode of [
    (json: object) => encodeJson(Kind.HELLO, json),
    (json: object) => encodeAttachment(Kind.ATTACH, 1, { ...attachment, json: { ...json } }),
  ]) {
    toPlain(encode(padded(MAX_JSON_BYTES)))
    assertViolation(() => toPlain(encode(padded(MAX_JSON_BYTES + 1))))
  }
})

test('C68: JSON that is no object is a violation, however it is nested', () => {
  for (const text of ['', ' ', 'null', 'true', '1', '"a"', '[]', '[{}]', '{', '{}{}', '{a:1}', "{'a':1}", '\ufeff{}']) {
    assertViolation(() => parseJson(Buffer.from(text)), text)
  }
  assertViolation(() => parseJson(Buffer.from('['.repeat(MAX_JSON_BYTES))), 'brackets')
  assertViolation(() => parseJson(Buffer.from('{"a":'.repeat(1_600))), 'braces')
})

test('JSON cannot reach the prototype of anything', () => {
  const parsed = parseJson(Buffer.from('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'))
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  assert.deepEqual(Object.keys(parsed), ['__proto__', 'constructor'])
})

test('C71: a reason is cut to 256 bytes at a character, and a longer one is refused', () => {
  for (const character of ['a', 'é', '€', '😀']) {
    for (let before = 0; before < 4; before++) {
      const text = 'a'.repeat(before) + character.repeat(200)
      const message = encodeDetach(1, { ...detachment, reason: text })
      const { reason } = decodeDetach(message)
      const bytes = Buffer.byteLength(reason)
      assert.ok(text.startsWith(reason))
      assert.ok(bytes <= MAX_REASON_BYTES)
      if (reason !== text) assert.ok(bytes + Buffer.byteLength(character) > MAX_REASON_BYTES, `${bytes} bytes`)
    }
  }
  const longest = encodeDetach(1, { ...detachment, reason: 'a'.repeat(MAX_REASON_BYTES) })
  assert.equal(decodeDetach(longest).reason.length, MAX_REASON_BYTES)
  assertViolation(() => decodeDetach(Buffer.concat([longest, Buffer.from('a')])))
})

test('text is cut to the longest whole characters that fit', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), fc.nat(40), (text, maxBytes) => {
      let expected = ''
      for (const character of text) {
        if (Buffer.byteLength(expected + character) > maxBytes) break
        expected += character
      }
      assert.equal(truncateUtf8(text, maxBytes).toString(), expected)
    }),
  )
})

test('a reason that is not UTF-8 is read as replacement characters', () => {
  const message = Buffer.concat([encodeDetach(1, { ...detachment, reason: '' }), Buffer.from([0x61, 0xff, 0xc3])])
  assert.equal(decodeDetach(message).reason, 'a\ufffd\ufffd')
})

test('of the flags of DETACH only FINAL counts', () => {
  for (let flags = 0; flags < 256; flags++) {
    const message = encodeDetach(1, { ...detachment, reason: '' })
    message[5] = flags
    assert.equal(decodeDetach(message).final, flags % 2 === 1)
  }
})

test('C62: numbers keep every bit up to the largest, and a larger one is never written', () => {
  const edges = [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 47, 2 ** 48 - 2, 2 ** 48 - 1]
  for (const edge of edges) {
    assert.equal(decodeAck(encodeAck(1, edge)), edge)
    assert.equal(decodePing(encodePing(Kind.PING, 1, edge)), edge)
  }
  assert.throws(() => encodeAck(1, 2 ** 48), RangeError)
  assert.throws(() => encodeAck(2 ** 32, 1), RangeError)
  assert.throws(() => encodeDetach(1, { ...detachment, reason: '', retryMs: 2 ** 32 }), RangeError)
  assert.equal(decodePing(encodePing(Kind.PONG, 1, 2 ** 48 + 5)), 5, 'a nonce counts in a circle')
})

test('the route is rewritten in place and nothing else is touched', () => {
  fc.assert(
    fc.property(message, u32, (plain, route) => {
      const bytes = fromPlain(plain)
      const rest = Buffer.from(bytes.subarray(4))
      setRoute(bytes, route)
      assert.equal(routeOf(bytes), route)
      assert.deepEqual(bytes.subarray(4), rest)
    }),
  )
})

test('a session id is a copy, so that it does not keep the chunk it came in', () => {
  const message = encodeAttachment(Kind.ATTACH, 1, {
    epoch: 1,
    sessionId: Buffer.alloc(16, 7),
    expected: 0,
    json: {},
  })
  const { sessionId } = decodeAttachment(message)
  message.fill(0)
  assert.deepEqual(sessionId, Buffer.alloc(16, 7))
})

test('a header names route and kind, and less than six bytes are none', () => {
  fc.assert(
    fc.property(u32, u16, (route, code) => {
      const bytes = encodeDetach(route, { ...detachment, reason: '', code })
      assert.deepEqual([routeOf(bytes), kindOf(bytes)], [route, Kind.DETACH])
    }),
  )
  for (let length = 0; length < HEADER_BYTES; length++) assertViolation(() => checkHeader(Buffer.alloc(length)))
  checkHeader(Buffer.alloc(HEADER_BYTES))
  assert.equal(BATCH_HEADER_BYTES, HEADER_BYTES + 12)
})

/** Bytes that a receiver must ignore: the flags, but for FINAL, and what lies before a nonce. */
function isFree(bytes: Buffer, at: number, bit: number): boolean {
  const kind = kindOf(bytes)
  if (at === 5) return kind !== Kind.DETACH || bit > 0
  return (kind === Kind.PING || kind === Kind.PONG) && (at === 6 || at === 7)
}
