import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BATCH_TARGET_BYTES, BatchBuilder } from '../../src/wire/batch.ts'
import { FRAME_HEADER_BYTES, FrameType, walkFrames } from '../../src/wire/frame.ts'
import {
  BATCH_HEADER_BYTES,
  decodeBatchHeader,
  Kind,
  kindOf,
  MAX_MESSAGE_BYTES,
  routeOf,
} from '../../src/wire/message.ts'
import { frame, u32, u48 } from './arbitraries.ts'
import { framesOf, type PlainFrame, payloadOf } from './plain.ts'

/** Frames of one batch, headers included. One DATA of BATCH_TARGET_BYTES still goes along with its header. */
const MAX_FRAMES_BYTES = BATCH_TARGET_BYTES + FRAME_HEADER_BYTES

/** A frame of a given size whose bytes tell which one it is. */
interface Piece {
  readonly stream: number
  readonly bytes: number
}

const zeros = Buffer.alloc(MAX_MESSAGE_BYTES)
const sizes = [0, 1, 7, 1_000, 16_384, 32_768, 65_519, 65_527, 65_528, 65_535, 65_536, 65_537, 100_000]
const piece: fc.Arbitrary<Piece> = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.constantFrom(...sizes))
  .map(([stream, bytes]) => ({ stream, bytes }))

/** FIN is the one frame without a payload. */
function add(builder: BatchBuilder, { stream, bytes }: Piece): void {
  if (bytes === 0) builder.add(FrameType.FIN, stream, null)
  else builder.add(FrameType.DATA, stream, zeros.subarray(0, bytes))
}

function piecesOf(batch: Buffer): Piece[] {
  const pieces: Piece[] = []
  walkFrames(batch, (type, stream, start, end) => {
    assert.equal(type, end === start ? FrameType.FIN : FrameType.DATA)
    pieces.push({ stream, bytes: end - start })
  })
  return pieces
}

const framesBytes = (pieces: readonly Piece[]): number =>
  pieces.reduce((total, { bytes }) => total + FRAME_HEADER_BYTES + bytes, 0)

/** As many of the oldest as fit, and at least one. */
function fitting(pieces: readonly Piece[]): number {
  let count = pieces.length > 0 ? 1 : 0
  while (count < pieces.length && framesBytes(pieces.slice(0, count + 1)) <= MAX_FRAMES_BYTES) count++
  return count
}

test('frames added and encoded in any turn leave once, in order, as full as the bound allows', () => {
  const step = fc.oneof({ arbitrary: piece, weight: 3 }, { arbitrary: fc.constant('encode' as const), weight: 1 })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), steps => {
      const builder = new BatchBuilder()
      let waiting: Piece[] = []
      for (const next of [...steps, ...steps.map(() => 'encode' as const)]) {
        if (next !== 'encode') {
          add(builder, next)
          waiting.push(next)
        } else if (builder.nextBytes() > 0) {
          const expected = waiting.slice(0, fitting(waiting))
          const announced = builder.nextBytes()
          const batch = builder.encode(1, 2, 3)
          assert.equal(batch.length, announced)
          assert.deepEqual(piecesOf(batch), expected)
          waiting = waiting.slice(expected.length)
        }
        assert.equal(builder.bytes, framesBytes(waiting))
        assert.equal(builder.nextBytes() > 0, waiting.length > 0)
      }
      assert.deepEqual(waiting, [])
    }),
  )
})

test('however frames are split over batches, the same frames come out in the same order', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 20, size: 'max' }),
      fc.array(fc.boolean(), { maxLength: 20, size: 'max' }),
      (frames, cuts) => {
        const builder = new BatchBuilder()
        const received: PlainFrame[] = []
        const flush = () => {
          while (builder.nextBytes() > 0) received.push(...framesOf(builder.encode(9, 0, 0)))
        }
        frames.forEach((plain, index) => {
          builder.add(FrameType[plain.type], plain.stream, payloadOf(plain))
          if (cuts[index]) flush()
        })
        flush()
        assert.deepEqual(received, frames)
      },
    ),
  )
})

test('a batch that goes on in other buffers is the same bytes, and large payloads are in it as they are', () => {
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 10 }), pieces => {
      const [whole, parted] = [new BatchBuilder(), new BatchBuilder()]
      for (const builder of [whole, parted]) for (const each of pieces) add(builder, each)
      while (whole.nextBytes() > 0) {
        const rest: Buffer[] = []
        const first = parted.encode(1, 2, 3, rest)
        assert.deepEqual(Buffer.concat([first, ...rest]), whole.encode(1, 2, 3))
        const referenced = rest.filter(({ buffer }) => buffer === zeros.buffer)
        assert.equal(rest.length - referenced.length <= referenced.length, true, 'what lies between is one buffer each')
        for (const { length } of referenced) assert.ok(length >= 4096)
      }
      assert.equal(parted.nextBytes(), 0)
    }),
  )
})

test('a batch carries its route, its number and its acknowledgement', () => {
  fc.assert(
    fc.property(u32, u48, u48, (route, seq, ack) => {
      const builder = new BatchBuilder()
      builder.add(FrameType.FIN, 1, null)
      const batch = builder.encode(route, seq, ack)
      assert.deepEqual([routeOf(batch), kindOf(batch), batch[5]], [route, Kind.BATCH, 0])
      assert.deepEqual(decodeBatchHeader(batch), { seq, ack })
    }),
  )
})

test('a batch of frames that are no larger than the target is never too large for a receiver', () => {
  const builder = new BatchBuilder()
  for (let stream = 1; stream <= 5; stream++) builder.add(FrameType.DATA, stream, zeros.subarray(0, BATCH_TARGET_BYTES))
  while (builder.nextBytes() > 0) {
    const { length } = builder.encode(1, 0, 0)
    assert.equal(length, BATCH_HEADER_BYTES + MAX_FRAMES_BYTES)
    assert.ok(length <= MAX_MESSAGE_BYTES)
  }
})

test('a frame over the target makes a batch of its own, and what was before and behind it keeps its place', () => {
  const builder = new BatchBuilder()
  const pieces = [10, 100_000, 20, 30].map((bytes, index) => ({ stream: index + 1, bytes }))
  for (const each of pieces) add(builder, each)
  const batches: Piece[][] = []
  while (builder.nextBytes() > 0) batches.push(piecesOf(builder.encode(1, 0, 0)))
  assert.deepEqual(
    batches.map(batch => batch.map(({ stream }) => stream)),
    [[1], [2], [3, 4]],
  )
})

test('an encoded batch keeps its bytes whatever happens to the payload, and the payload its own', () => {
  const payload = Buffer.from('hello')
  const builder = new BatchBuilder()
  builder.add(FrameType.DATA, 1, payload)
  const batch = builder.encode(1, 0, 0)
  payload.fill(0)
  assert.deepEqual(framesOf(batch), [{ type: 'DATA', stream: 1, data: Buffer.from('hello').toString('hex') }])
  batch.fill(1)
  assert.deepEqual(payload, Buffer.alloc(5))
})

test('an empty builder announces nothing, and encodes an empty batch when asked', () => {
  const builder = new BatchBuilder()
  assert.deepEqual([builder.bytes, builder.nextBytes()], [0, 0])
  assert.deepEqual(framesOf(builder.encode(1, 0, 0)), [])
})
