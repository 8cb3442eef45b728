import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Opcode } from '../../../src/carrier/framing.ts'
import type { Frame, Side } from '../../../src/gateway/ingress/frame.ts'
import { FrameTap } from '../../../src/gateway/ingress/frame-tap.ts'
import { brief, closeBody, encode, headerOf, keyOf, type Shape } from './frames.ts'

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = Opcode
const sides: readonly Side[] = ['client', 'service']

function tapOf(from: Side, reportData = true): { readonly tap: FrameTap; readonly seen: Frame[] } {
  const seen: Frame[] = []
  return { tap: new FrameTap({ from, report: frame => seen.push(frame), reportData }), seen }
}

const bytesOf = (from: Side, shapes: readonly Shape[]): Buffer =>
  Buffer.concat(shapes.map(shape => encode({ key: keyOf(from), ...shape })))

test('every kind of frame is reported as it was sent, from either side', () => {
  for (const from of sides) {
    const { tap, seen } = tapOf(from)
    const masked = from === 'client'
    const payload = Buffer.from('7 bytes')
    const reason = 'gone, grün'
    tap.read(
      bytesOf(from, [
        { opcode: TEXT, payload },
        { opcode: BINARY, payload, reserved: 0x40, fin: false },
        { opcode: PING, payload },
        { opcode: PONG },
        { opcode: CONTINUATION },
        { opcode: CLOSE, payload: closeBody(4001, reason) },
      ]),
    )
    const head = { fin: true, rsv1: false, masked, bytes: 7 }
    assert.deepEqual(seen, [
      { ...head, opcode: TEXT },
      { ...head, opcode: BINARY, rsv1: true, fin: false },
      { ...head, opcode: PING, payload },
      { ...head, opcode: PONG, bytes: 0, payload: Buffer.alloc(0) },
      { ...head, opcode: CONTINUATION, bytes: 0 },
      { ...head, opcode: CLOSE, bytes: 13, code: 4001, reason },
    ])
    assert.equal(tap.broken, undefined)
  }
})

test('each form of the length is read, and what follows the payload is the next frame', () => {
  for (const from of sides) {
    const { tap, seen } = tapOf(from)
    const sizes = [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 1_048_576]
    tap.read(
      bytesOf(
        from,
        sizes.flatMap(size => [{ opcode: BINARY, payload: Buffer.alloc(size, 0xff) }, { opcode: PING }]),
      ),
    )
    assert.deepEqual(
      seen.map(brief),
      sizes.flatMap(size => [`BINARY ${size}`, 'PING']),
    )
  }
})

test('a length in more bytes than it needs is read as it is', () => {
  const { tap, seen } = tapOf('service')
  tap.read(Buffer.from([0x82, 126, 0, 1, 9, 0x82, 127, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9, 0x89, 0]))
  assert.deepEqual(seen.map(brief), ['BINARY 1', 'BINARY 2', 'PING'])
})

test('a data frame is reported with the last byte of its header, a control frame with its own last byte', () => {
  const { tap, seen } = tapOf('client')
  const key = keyOf('client')
  const moments = (bytes: Buffer): number[] =>
    [...bytes].flatMap((byte, index) => {
      const before = seen.length
      tap.read(Uint8Array.of(byte))
      return seen.length > before ? [index + 1] : []
    })
  assert.deepEqual(moments(encode({ opcode: TEXT, payload: Buffer.alloc(5), key })), [6])
  assert.deepEqual(moments(encode({ opcode: TEXT, payload: Buffer.alloc(200), key })), [8])
  assert.deepEqual(moments(encode({ opcode: TEXT, payload: Buffer.alloc(65_536), key })), [14])
  assert.deepEqual(moments(encode({ opcode: PING, payload: Buffer.alloc(5), key })), [11])
  assert.deepEqual(moments(encode({ opcode: CLOSE, key })), [6])
})

test('a close without a code is 1005, and one of 123 bytes of reason is whole', () => {
  const { tap, seen } = tapOf('service')
  tap.read(bytesOf('service', [{ opcode: CLOSE }, { opcode: CLOSE, payload: closeBody(1000, 'x'.repeat(123)) }]))
  assert.deepEqual(seen.map(brief), ['CLOSE 1005', `CLOSE 1000 ${'x'.repeat(123)}`])
})

test('a reason that is no text does not end the reports, and controls in it come through for the viewer to escape', () => {
  const { tap, seen } = tapOf('service')
  const broken = Buffer.concat([closeBody(999), Buffer.from([0x61, 0xff, 0xc3])])
  tap.read(
    bytesOf('service', [
      { opcode: CLOSE, payload: broken },
      { opcode: CLOSE, payload: closeBody(1000, '\u001b[2J\n') },
    ]),
  )
  assert.deepEqual(seen.map(brief), ['CLOSE 999 a\ufffd\ufffd', 'CLOSE 1000 \u001b[2J'])
})

test('lengths up to 2^53 - 1 are numbers, anything longer is a violation', () => {
  const largest = 2n ** 53n - 1n
  for (const from of sides) {
    const { tap, seen } = tapOf(from)
    tap.read(headerOf(BINARY, largest, { key: keyOf(from) }))
    assert.deepEqual([seen[0]?.bytes, tap.broken], [Number.MAX_SAFE_INTEGER, undefined])
    tap.read(Buffer.alloc(1_000))
    assert.deepEqual([seen.length, tap.totals.bytes], [1, 1_000])
    for (const length of [largest + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      const beyond = tapOf(from)
      beyond.tap.read(headerOf(BINARY, length, { key: keyOf(from) }))
      assert.deepEqual([beyond.tap.broken, beyond.seen], ['a length beyond 2^53', []])
    }
  }
})

const first: Shape = { opcode: TEXT, fin: false }
const long = Buffer.alloc(126)
const violations: readonly (readonly [text: string, ...shapes: Shape[]])[] = [
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(opcode => ['a reserved opcode', { opcode }] as const),
  ...[CLOSE, PING, PONG].map(opcode => ['a fragmented control frame', { opcode, fin: false }] as const),
  ...[CLOSE, PING, PONG].map(opcode => ['a control frame of more than 125 bytes', { opcode, payload: long }] as const),
  ['a continuation of nothing', { opcode: CONTINUATION }],
  ['a continuation of nothing', first, { opcode: CONTINUATION }, { opcode: CONTINUATION }],
  ['a message inside another', first, { opcode: TEXT }],
  ['a message inside another', first, { opcode: CONTINUATION, fin: false }, { opcode: PING }, { opcode: BINARY }],
  ['RSV2 or RSV3 is set', { opcode: TEXT, reserved: 0x20 }],
  ['RSV2 or RSV3 is set', { opcode: PING, reserved: 0x10 }],
  ['a close code of one byte', { opcode: CLOSE, payload: Buffer.from([3]) }],
]

test('a frame that section 5 forbids ends the reports for good, and is known by its first two bytes', () => {
  for (const from of sides) {
    for (const [text, ...shapes] of violations) {
      const { tap, seen } = tapOf(from)
      const bad = bytesOf(from, shapes.slice(-1))
      tap.read(bytesOf(from, shapes.slice(0, -1)))
      tap.read(bad.subarray(0, 1))
      assert.equal(tap.broken, undefined)
      tap.read(bad.subarray(1, 2))
      assert.equal(tap.broken, text)
      for (const rest of [bad.subarray(2), bytesOf(from, [{ opcode: PING }, { opcode: TEXT }])]) tap.read(rest)
      assert.deepEqual([seen.length, tap.totals.frames, tap.kept], [shapes.length - 1, shapes.length - 1, 0])

      // In a chunk so short that a header might go on in the next.
      const short = tapOf(from)
      for (const bytes of [bytesOf(from, shapes.slice(0, -1)), Buffer.concat([bad.subarray(0, 2), Buffer.alloc(5)])]) {
        short.tap.read(bytes)
      }
      assert.deepEqual([short.tap.broken, short.seen.length, short.tap.kept], [text, shapes.length - 1, 0])

      const whole = tapOf(from)
      whole.tap.read(bytesOf(from, [...shapes, { opcode: PING }, { opcode: PING, payload: long.subarray(1) }]))
      assert.deepEqual([whole.tap.broken, whole.seen.length, whole.tap.kept], [text, shapes.length - 1, 0])
    }
  }
})

test('a client that does not mask and a service that does are violations', () => {
  const frame = { opcode: TEXT, payload: Buffer.alloc(40) }
  const fromClient = tapOf('client')
  fromClient.tap.read(encode(frame))
  assert.equal(fromClient.tap.broken, 'a frame of the client is not masked')
  const fromService = tapOf('service')
  fromService.tap.read(encode({ ...frame, key: Buffer.alloc(4) }))
  assert.equal(fromService.tap.broken, 'a frame of the service is masked')
  assert.deepEqual([...fromClient.seen, ...fromService.seen], [])
})

test('messages are counted by the kind of their first frame, once their last one begins', () => {
  const payload = Buffer.alloc(10)
  const shapes: readonly Shape[] = [
    { opcode: TEXT, payload },
    { opcode: TEXT, payload, fin: false },
    { opcode: PING, payload },
    { opcode: CONTINUATION, payload, fin: false },
    { opcode: CONTINUATION, payload },
    { opcode: BINARY, payload, fin: false },
  ]
  for (const reportData of [true, false]) {
    const { tap, seen } = tapOf('client', reportData)
    tap.read(bytesOf('client', shapes))
    assert.deepEqual(tap.totals, { frames: 6, text: 2, binary: 0, bytes: 50 })
    tap.read(bytesOf('client', [{ opcode: CONTINUATION, payload }]).subarray(0, -4))
    assert.deepEqual(tap.totals, { frames: 7, text: 2, binary: 1, bytes: 56 })
    assert.equal(seen.length, reportData ? 7 : 1)
  }
})

test('of a data frame no byte is looked at but the header', () => {
  const bytes = bytesOf('client', [{ opcode: BINARY, payload: Buffer.alloc(70_000) }, { opcode: TEXT }])
  const looked = new Set<string>()
  const watched = new Proxy(bytes, {
    get: (target, name) => {
      if (typeof name === 'string' && /^\d+$/.test(name)) looked.add(name)
      return Reflect.get(target, name, target)
    },
  })
  const { tap, seen } = tapOf('client')
  tap.read(watched)
  assert.deepEqual(seen.map(brief), ['BINARY 70000', 'TEXT 0'])
  const places = [...looked].map(Number)
  assert.ok(places.length > 0 && places.every(place => place < 14 || place >= 14 + 70_000), places.join())
})
