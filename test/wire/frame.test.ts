import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BatchBuilder } from '../../src/wire/batch.ts'
import {
  decodeOpen,
  decodeReset,
  encodeCredit,
  encodeOpen,
  encodeOpened,
  encodeReset,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_OPEN_JSON_BYTES,
  Verdict,
  walkFrames,
} from '../../src/wire/frame.ts'
import { BATCH_HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_REASON_BYTES } from '../../src/wire/message.ts'
import { almostMessage, frame } from './arbitraries.ts'
import { framesOf, type PlainFrame, payloadOf } from './plain.ts'
import { assertViolation, valueOrViolation } from './total.ts'

/** A frame as the table of docs/protocol.md draws it, with whatever length and payload. */
function rawFrame(type: number, stream: number, payload: Buffer, length = payload.length): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header[0] = type
  header.writeUInt32BE(stream, 1)
  header.writeUIntBE(length, 5, 3)
  return Buffer.concat([header, payload])
}

const batchOf = (...frames: Buffer[]): Buffer => Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), ...frames])

const rawOf = (plain: PlainFrame): Buffer =>
  rawFrame(FrameType[plain.type], plain.stream, payloadOf(plain) ?? Buffer.alloc(0))

/** The frames before the batch goes wrong, and whether it does. */
function walked(batch: Buffer): { frames: string[]; violation: boolean } {
  const frames: string[] = []
  const done = valueOrViolation(() => walkFrames(batch, (type, stream) => frames.push(`${type}/${stream}`)))
  return { frames, violation: done === undefined }
}

test('any frames in any order are read as they were written', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), frames => {
      assert.deepEqual(framesOf(batchOf(...frames.map(rawOf))), frames)
    }),
  )
})

test('frames are visited with their own bytes, end to end, and nothing between them is left out', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), frames => {
      const batch = batchOf(...frames.map(rawOf))
      let at = BATCH_HEADER_BYTES
      walkFrames(batch, (_type, _stream, start, end) => {
        assert.equal(start, at + FRAME_HEADER_BYTES)
        assert.ok(end >= start)
        at = end
      })
      assert.equal(at, batch.length)
    }),
  )
})

test('any bytes at all are frames or a violation, never more frames than fit, never the same twice', () => {
  const bytes = fc.uint8Array({ maxLength: 80 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(fc.oneof(bytes, almostMessage), batch => {
      let last = 0
      valueOrViolation(() => {
        walkFrames(batch, (type, _stream, start, end) => {
          assert.ok(start > last)
          assert.ok(end <= batch.length)
          last = start
          if (type === FrameType.OPEN) valueOrViolation(() => decodeOpen(batch, start, end))
          if (type === FrameType.RESET) decodeReset(batch, start, end)
        })
      })
    }),
    { numRuns: 3_000 },
  )
})

/** Cuts of a batch behind its header, which always lies in the first buffer. */
const cutsOf = (batch: Buffer, at: readonly number[]): [Buffer, Buffer[]] => {
  const places = [...new Set(at.map(each => BATCH_HEADER_BYTES + (each % (batch.length - BATCH_HEADER_BYTES + 1))))]
  const from = [0, ...places.sort((a, b) => a - b)]
  const [first = batch, ...rest] = from.map((start, index) => batch.subarray(start, from[index + 1]))
  return [first, rest]
}

/** The frames of a batch, those of DATA that follow each other put together. */
function framesAcross(first: Buffer, rest: readonly Buffer[]): string[] {
  const frames: { type: number; stream: number; payload: Buffer }[] = []
  walkFrames(
    first,
    (type, stream, start, end, part) => {
      const payload = Buffer.from(part.subarray(start, end))
      const last = frames.at(-1)
      const goesOn = type === FrameType.DATA && last?.type === type && last.stream === stream
      if (goesOn) last.payload = Buffer.concat([last.payload, payload])
      else frames.push({ type, stream, payload })
    },
    rest,
  )
  return frames.map(({ type, stream, payload }) => `${type}/${stream}/${payload.toString('hex')}`)
}

test('wherever a batch is cut into buffers, the same frames are read, and the same violations are found', () => {
  const cuts = fc.array(fc.nat(), { maxLength: 6 })
  const whole = fc.array(frame, { maxLength: 8 }).map(frames => batchOf(...frames.map(rawOf)))
  const broken = whole.map(batch => batch.subarray(0, Math.max(BATCH_HEADER_BYTES, batch.length - 3)))
  fc.assert(
    fc.property(fc.oneof(whole, broken), cuts, (batch, at) => {
      const [first, rest] = cutsOf(batch, at)
      const expected = valueOrViolation(() => framesAcross(batch, []))
      assert.deepEqual(
        valueOrViolation(() => framesAcross(first, rest)),
        expected,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('a verdict is stamped in the batch itself, wherever its OPEN is cut', () => {
  const open = rawFrame(FrameType.OPEN, 7, encodeOpen(65_536, { service: 'db', namespace: 'prod', port: 5432 }))
  const batch = batchOf(rawFrame(FrameType.FIN, 1, Buffer.alloc(0)), open, rawFrame(FrameType.FIN, 7, Buffer.alloc(0)))
  for (let at = BATCH_HEADER_BYTES; at <= batch.length; at++) {
    const copy = Buffer.from(batch)
    const stamp = (type: number, _stream: number, start: number, _end: number, part: Buffer) => {
      if (type === FrameType.OPEN) part[start] = Verdict.DENIED
    }
    walkFrames(copy.subarray(0, at), stamp, [copy.subarray(at, at + 1), copy.subarray(at + 1)])
    const verdict = BATCH_HEADER_BYTES + 2 * FRAME_HEADER_BYTES
    assert.equal(copy[verdict], Verdict.DENIED, `cut at ${at}`)
    copy[verdict] = Verdict.UNDECIDED
    assert.deepEqual(copy, batch, `cut at ${at}`)
  }
})

test('the largest message full of the smallest frames is walked in one go', () => {
  const frames = Math.floor((MAX_MESSAGE_BYTES - BATCH_HEADER_BYTES) / FRAME_HEADER_BYTES)
  const fin = rawFrame(FrameType.FIN, 1, Buffer.alloc(0))
  let visited = 0
  walkFrames(batchOf(Buffer.concat(Array.from({ length: frames }, () => fin))), () => {
    visited++
  })
  assert.equal(visited, frames)
})

test('a batch that is cut gives the frames before the cut, and is a violation unless it is cut between two', () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 5 }), frames => {
      const raws = frames.map(rawOf)
      const batch = batchOf(...raws)
      const ends = raws.map((_, index) => batchOf(...raws.slice(0, index + 1)).length)
      for (let length = BATCH_HEADER_BYTES; length < batch.length; length++) {
        const { frames: seen, violation } = walked(batch.subarray(0, length))
        assert.equal(seen.length, ends.filter(end => end <= length).length)
        assert.equal(violation, length !== BATCH_HEADER_BYTES && !ends.includes(length), `${length} bytes`)
      }
    }),
  )
})

test('the frames before a malformed one have happened', () => {
  const good = rawFrame(FrameType.FIN, 5, Buffer.alloc(0))
  for (const bad of [
    rawFrame(0, 1, Buffer.alloc(0)),
    rawFrame(FrameType.FIN, 0, Buffer.alloc(0)),
    rawFrame(FrameType.DATA, 1, Buffer.alloc(0)),
    rawFrame(FrameType.DATA, 1, Buffer.alloc(3), 4),
    Buffer.alloc(7),
  ]) {
    assert.deepEqual(walked(batchOf(good, bad)), { frames: ['4/5'], violation: true })
  }
})

test('only the types of the table exist', () => {
  const known = new Set<number>(Object.values(FrameType))
  for (let type = 0; type < 256; type++) {
    if (known.has(type)) continue
    for (const bytes of [0, 1, 6, 8]) assert.ok(walked(batchOf(rawFrame(type, 1, Buffer.alloc(bytes)))).violation)
  }
})

test('each type has the lengths of the table and no other', () => {
  const allowed: Record<keyof typeof FrameType, (bytes: number) => boolean> = {
    OPEN: bytes => bytes >= 7 && bytes <= 7 + MAX_OPEN_JSON_BYTES,
    OPENED: bytes => bytes === 8,
    DATA: bytes => bytes > 0,
    FIN: bytes => bytes === 0,
    RESET: bytes => bytes >= 2 && bytes <= 2 + MAX_REASON_BYTES,
    CREDIT: bytes => bytes === 6,
  }
  const edges = [0, 1, 2, 3, 5, 6, 7, 8, 9, 257, 258, 259, 4_102, 4_103, 4_104, 65_535, 65_536]
  for (const [name, isAllowed] of Object.entries(allowed)) {
    for (const bytes of edges) {
      const batch = batchOf(rawFrame(FrameType[name as keyof typeof FrameType], 1, Buffer.alloc(bytes)))
      assert.equal(walked(batch).violation, !isAllowed(bytes), `${name} of ${bytes} bytes`)
    }
  }
})

test('a length is read over all of its three bytes', () => {
  for (const bytes of [255, 256, 65_535, 65_536, 2 ** 24 - 1]) {
    const batch = batchOf(rawFrame(FrameType.DATA, 1, Buffer.alloc(bytes)))
    walkFrames(batch, (_type, _stream, start, end) => assert.equal(end - start, bytes))
    assertViolation(() => walkFrames(batch.subarray(0, -1), () => {}))
  }
  const builder = new BatchBuilder()
  builder.add(FrameType.DATA, 1, Buffer.alloc(2 ** 24))
  assert.throws(() => builder.encode(1, 0, 0), RangeError, 'a longer one is never written')
})

test('limits keep every bit up to the largest, and a larger one is never written', () => {
  for (const limit of [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1]) {
    const frames: PlainFrame[] = [
      { type: 'OPEN', stream: 2 ** 32 - 1, verdict: 0, limit, json: {} },
      { type: 'OPENED', stream: 1, limit, port: 65_535 },
      { type: 'CREDIT', stream: 1, limit },
    ]
    assert.deepEqual(framesOf(batchOf(...frames.map(rawOf))), frames)
  }
  const beyond = 2 ** 48
  for (const encode of [() => encodeCredit(beyond), () => encodeOpened(beyond, 1), () => encodeOpen(beyond, {})]) {
    assert.throws(encode, RangeError)
  }
})

test('OPEN leaves an end undecided, with JSON of at most 4 KiB', () => {
  assert.equal(encodeOpen(1, {})[0], Verdict.UNDECIDED)
  const json = (bytes: number) => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) })
  const open = (bytes: number) => batchOf(rawFrame(FrameType.OPEN, 1, encodeOpen(1, json(bytes))))
  assert.deepEqual(framesOf(open(MAX_OPEN_JSON_BYTES)), [
    { type: 'OPEN', stream: 1, verdict: 0, limit: 1, json: json(MAX_OPEN_JSON_BYTES) },
  ])
  assertViolation(() => framesOf(open(MAX_OPEN_JSON_BYTES + 1)))
})

test('OPEN whose JSON is no object is a violation when it is read, not when its batch is walked', () => {
  for (const text of ['', 'null', '[]', '"db"', '{', '\ufeff{}']) {
    const payload = Buffer.concat([Buffer.alloc(7), Buffer.from(text)])
    const batch = batchOf(rawFrame(FrameType.OPEN, 1, payload))
    assert.equal(walked(batch).violation, false)
    assertViolation(() => framesOf(batch), text)
  }
})

test('the reason of RESET is cut to 256 bytes at a character', () => {
  const payload = encodeReset(65_535, '😀'.repeat(100))
  assert.deepEqual(framesOf(batchOf(rawFrame(FrameType.RESET, 1, payload))), [
    { type: 'RESET', stream: 1, code: 65_535, reason: '😀'.repeat(64) },
  ])
  assert.equal(encodeReset(1, `a${'😀'.repeat(100)}`).length, 2 + 1 + 63 * 4)
})
