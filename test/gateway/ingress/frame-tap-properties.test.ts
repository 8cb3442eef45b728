import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Opcode } from '../../../src/carrier/framing.ts'
import type { Frame, Side } from '../../../src/gateway/ingress/frame.ts'
import { FrameTap } from '../../../src/gateway/ingress/frame-tap.ts'
import { closeBody, cutInto, encode, type Shape } from './frames.ts'

const MAX_KEPT_BYTES = 14 + 125

interface Sent {
  readonly shape: Shape
  /** What is to be reported beside the head of the frame. */
  readonly more: object
}

const body = (sizes: fc.Arbitrary<number>) => sizes.chain(size => fc.nat(255).map(fill => Buffer.alloc(size, fill)))
const dataBody = body(fc.oneof(fc.nat(300), fc.constantFrom(125, 126, 127, 65_535, 65_536)))
const controlBody = fc.uint8Array({ maxLength: 125 }).map(bytes => Buffer.from(bytes))
/** Cut in the middle of a character, some of them. */
const reasons = fc.string({ unit: 'binary', maxLength: 60 }).map(text => Buffer.from(text).subarray(0, 123))

const control: fc.Arbitrary<Sent> = fc.oneof(
  fc
    .constantFrom(Opcode.PING, Opcode.PONG)
    .chain(opcode => controlBody.map(payload => ({ shape: { opcode, payload }, more: { payload } }))),
  fc.tuple(fc.integer({ min: 1000, max: 4999 }), reasons).map(([code, reason]) => ({
    shape: { opcode: Opcode.CLOSE, payload: Buffer.concat([closeBody(code), reason]) },
    more: { code, reason: new TextDecoder('utf-8', { ignoreBOM: true }).decode(reason) },
  })),
)

/** A message in one to four frames, with control frames between them. */
const message: fc.Arbitrary<Sent[]> = fc
  .record({
    opcode: fc.constantFrom(Opcode.TEXT, Opcode.BINARY),
    compressed: fc.boolean(),
    fragments: fc.array(fc.tuple(dataBody, fc.array(control, { maxLength: 2 })), { minLength: 1, maxLength: 4 }),
  })
  .map(({ opcode, compressed, fragments }) =>
    fragments.flatMap(([payload, between], index) => [
      {
        shape: {
          opcode: index === 0 ? opcode : Opcode.CONTINUATION,
          payload,
          fin: index === fragments.length - 1,
          reserved: compressed && index === 0 ? 0x40 : 0,
        },
        more: {},
      },
      ...(index === fragments.length - 1 ? [] : between),
    ]),
  )

const conversation = fc
  .array(fc.oneof(message, fc.array(control, { maxLength: 2 })), { minLength: 1, maxLength: 5 })
  .map(parts => parts.flat())
const sides = fc.constantFrom<Side>('client', 'service')
const keys = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(bytes => Buffer.from(bytes))
const portions = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 }),
  fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 30 }),
)

const expected = (all: readonly Sent[], masked: boolean): object[] =>
  all.map(({ shape: { opcode, payload, fin = true, reserved = 0 }, more }) => {
    return { opcode, fin, rsv1: reserved !== 0, masked, bytes: payload?.length ?? 0, ...more }
  })

test('any conversation is reported as it was sent, wherever the bytes are cut, and the bytes stay as they are', () => {
  fc.assert(
    fc.property(conversation, sides, keys, portions, (all, from, key, sizes) => {
      const masked = from === 'client'
      const bytes = Buffer.concat(all.map(({ shape }) => encode({ ...shape, key: masked ? key : undefined })))
      const uncut: Frame[] = []
      new FrameTap({ from, report: frame => uncut.push(frame) }).read(bytes)
      assert.deepEqual(uncut, expected(all, masked))

      const seen: Frame[] = []
      const tap = new FrameTap({ from, report: frame => seen.push(frame) })
      for (const chunk of cutInto(bytes, sizes)) {
        const before = Buffer.from(chunk)
        tap.read(chunk)
        assert.ok(chunk.equals(before))
        assert.ok(tap.kept <= MAX_KEPT_BYTES)
        // Whoever lent the chunk writes something else into it.
        chunk.fill(0xee)
      }
      assert.deepEqual(seen, uncut)
      assert.deepEqual([tap.broken, tap.kept], [undefined, 0])
      const counted = new FrameTap({ from, report: () => {}, reportData: false })
      for (const chunk of cutInto(bytes, sizes)) counted.read(chunk)
      const data = all.filter(({ shape }) => shape.opcode < Opcode.CLOSE)
      const passed = data.reduce((sum, { shape }) => sum + (shape.payload?.length ?? 0), 0)
      assert.deepEqual(counted.totals, tap.totals)
      assert.deepEqual([tap.totals.frames, tap.totals.bytes], [all.length, passed])
    }),
    { numRuns: 100 },
  )
})

/** Mostly nonsense, but often nonsense with a beginning that makes sense. */
const noise = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(
          fc.constantFrom(0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8a),
          fc.nat(255),
          fc.uint8Array({ maxLength: 140 }),
        )
        .map(([first, second, tail]) => Uint8Array.of(first, second, ...tail)),
    ),
    { maxLength: 8 },
  )
  .map(parts => Buffer.concat(parts))

test('any bytes at all are reports or a violation, with little kept, and after a violation nothing is reported', () => {
  let [broken, whole] = [0, 0]
  fc.assert(
    fc.property(noise, sides, portions, keys, (bytes, from, sizes, key) => {
      const seen: Frame[] = []
      const tap = new FrameTap({ from, report: frame => seen.push(frame) })
      for (const chunk of cutInto(bytes, sizes)) {
        const [wasBroken, before] = [tap.broken, seen.length]
        tap.read(chunk)
        assert.ok(tap.kept <= MAX_KEPT_BYTES)
        if (wasBroken !== undefined) assert.deepEqual([tap.broken, seen.length], [wasBroken, before])
      }
      for (const frame of seen) if ('payload' in frame) assert.ok(frame.payload.length <= 125)
      if (tap.broken === undefined) {
        whole++
        return
      }
      broken++
      const before = [seen.length, tap.totals]
      tap.read(encode({ opcode: Opcode.PING, key: from === 'client' ? key : undefined }))
      assert.deepEqual([seen.length, tap.totals], before)
      assert.equal(tap.kept, 0)
    }),
    { numRuns: 3_000 },
  )
  assert.ok(broken > 100 && whole > 100, `${broken} broken, ${whole} not`)
})
