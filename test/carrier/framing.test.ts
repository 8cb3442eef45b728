import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frameHeaderBytes, writeFrameHeader } from '../../src/carrier/frame-writer.ts'
import { applyMask, FrameReader, FramingError, Opcode } from '../../src/carrier/framing.ts'
import { MAX_MESSAGE_BYTES } from '../../src/wire/message.ts'

interface Seen {
  readonly messages: Buffer[]
  readonly controls: string[]
  /** Of the messages, the number of buffers that each came in. */
  readonly parts: number[]
}

function readAll(chunks: readonly Buffer[], masked: boolean): Seen {
  const seen: Seen = { messages: [], controls: [], parts: [] }
  const reader = new FrameReader(masked, {
    message: (first, rest) => {
      seen.messages.push(Buffer.concat([first, ...rest]))
      seen.parts.push(1 + rest.length)
      if (rest.length > 0) assert.ok(first.length >= 4096)
    },
    control: (opcode, payload) => seen.controls.push(`${opcode} ${payload.toString('latin1')}`),
  })
  for (const chunk of chunks) reader.read(chunk)
  return seen
}

function frameOf(opcode: number, payload: Buffer, mask?: Buffer): Buffer {
  const header = Buffer.alloc(frameHeaderBytes(payload.length, mask !== undefined))
  writeFrameHeader(header, opcode, payload.length, mask)
  const body = Buffer.from(payload)
  if (mask !== undefined) applyMask(body, mask, 0)
  return Buffer.concat([header, body])
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b)]
  return at.map((from, index) => Buffer.from(bytes.subarray(from, at[index + 1])))
}

const sizes = fc.constantFrom(0, 1, 125, 126, 4_095, 4_096, 16_384, 16_385, 65_535, 65_536, MAX_MESSAGE_BYTES)
const masks = fc.constantFrom(undefined, Buffer.alloc(4), Buffer.from([1, 2, 3, 4]))
const places = fc.array(fc.nat(), { maxLength: 12 })

test('messages and pings are read as they were written, wherever the bytes are cut', () => {
  const frames = fc.array(fc.tuple(sizes, fc.boolean()), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(frames, masks, places, (all, mask, at) => {
      const messages: Buffer[] = []
      const bytes = all.flatMap(([size, pinged], index) => {
        const message = Buffer.alloc(size, index + 1)
        messages.push(message)
        const ping = pinged ? [frameOf(Opcode.PING, Buffer.from(`${index}`), mask)] : []
        return [...ping, frameOf(Opcode.BINARY, message, mask)]
      })
      const seen = readAll(cut(Buffer.concat(bytes), at), mask !== undefined)
      assert.deepEqual(seen.messages, messages)
      assert.deepEqual(
        seen.controls,
        all.flatMap(([, pinged], index) => (pinged ? [`9 ${index}`] : [])),
      )
    }),
    { numRuns: 300 },
  )
})

test('while a reader is held it delivers nothing, and then one frame after the other, wherever the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(sizes, { minLength: 1, maxLength: 6 }), masks, places, (all, mask, at) => {
      const messages = all.map((size, index) => Buffer.alloc(size, index + 1))
      const seen: Buffer[] = []
      const reader = new FrameReader(mask !== undefined, {
        message: (first, rest) => {
          seen.push(Buffer.concat([first, ...rest]))
          reader.hold()
        },
        control: () => {},
      })
      const bytes = Buffer.concat(messages.map(message => frameOf(Opcode.BINARY, message, mask)))
      for (const chunk of cut(bytes, at)) reader.read(chunk)
      assert.equal(seen.length, 1)
      for (let released = 2; released <= messages.length; released++) {
        reader.release()
        assert.equal(seen.length, released)
      }
      assert.deepEqual(seen, messages)
    }),
    { numRuns: 100 },
  )
})

test('A11: a message that trickles in byte by byte is not a thousand buffers', () => {
  const message = Buffer.alloc(MAX_MESSAGE_BYTES, 7)
  const bytes = frameOf(Opcode.BINARY, message)
  const chunks = Array.from(bytes, (_, index) => Buffer.from(bytes.subarray(index, index + 1)))
  const { messages, parts } = readAll(chunks, false)
  assert.deepEqual(messages, [message])
  assert.ok((parts[0] ?? 0) <= MAX_MESSAGE_BYTES / (4 * 1024), `${parts[0]} buffers`)
})

test('a message in two fragments is one message, with a ping between them', () => {
  const [head, tail] = [Buffer.from('one '), Buffer.from('message')]
  const first = frameOf(Opcode.BINARY, head)
  first[0] = Opcode.BINARY
  const bytes = [first, frameOf(Opcode.PING, Buffer.from('?')), frameOf(Opcode.CONTINUATION, tail)]
  for (const chunks of [bytes, [Buffer.concat(bytes)]]) {
    const { messages, controls } = readAll(chunks.map(Buffer.from), false)
    assert.deepEqual([messages.map(String), controls], [['one message'], ['9 ?']])
  }
})

test('fragments together may not be larger than a message', () => {
  const half = Buffer.alloc(MAX_MESSAGE_BYTES / 2 + 1)
  const first = frameOf(Opcode.BINARY, half)
  first[0] = Opcode.BINARY
  assert.throws(
    () => readAll([first, frameOf(Opcode.CONTINUATION, half)], false),
    (error: FramingError) => error.code === 1009,
  )
})

test('after stop nothing is delivered, not even from the chunk that is being read', () => {
  const messages: string[] = []
  const reader = new FrameReader(false, {
    message: first => {
      messages.push(String(first))
      reader.stop()
    },
    control: () => {},
  })
  const one = frameOf(Opcode.BINARY, Buffer.from('one'))
  reader.read(Buffer.concat([one, one]))
  reader.read(one)
  assert.deepEqual(messages, ['one'])
})

test('any bytes at all are messages or a violation, never anything else', () => {
  const header = fc.tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 40 }))
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map(array => Buffer.from(array)),
    header.map(([first, second, tail]) => Buffer.from([first, second, ...tail])),
  )
  fc.assert(
    fc.property(bytes, fc.boolean(), places, (all, masked, at) => {
      try {
        readAll(cut(all, at), masked)
      } catch (error) {
        assert.ok(error instanceof FramingError, String(error))
        assert.ok([1002, 1003, 1008, 1009].includes(error.code))
      }
    }),
    { numRuns: 3_000 },
  )
})
