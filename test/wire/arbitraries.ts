/** Arbitrary messages and frames, as plain values, with the edges of every number among them. */
import fc from 'fast-check'
import type { PlainFrame, PlainMessage } from './plain.ts'

const edges = [0, 1, 255, 256, 65_535, 65_536, 2 ** 24 - 1, 2 ** 24, 2 ** 32 - 1, 2 ** 32, 2 ** 47, 2 ** 48 - 1]

/** A record with the prototype of an object literal, as the decoders give. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>

function unsigned(bits: number): fc.Arbitrary<number> {
  const max = 2 ** bits - 1
  return fc.oneof(fc.constantFrom(...edges.filter(edge => edge <= max)), fc.integer({ min: 0, max }))
}

export const u8 = unsigned(8)
export const u16 = unsigned(16)
export const u32 = unsigned(32)
export const u48 = unsigned(48)

export const streamId = u32.map(id => id || 1)

/** At most 256 bytes of UTF-8: a character has at most four. */
export const reason = fc.string({ unit: 'binary', maxLength: 64 })

/** Objects as JSON can say them: no -0, no undefined. */
export const json: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(fc.string({ unit: 'binary', maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
  .map(value => JSON.parse(JSON.stringify(value)))

export const payload = fc.uint8Array({ minLength: 1, maxLength: 40 }).map(bytes => Buffer.from(bytes))

export const frame: fc.Arbitrary<PlainFrame> = fc.oneof(
  record({ type: fc.constant('OPEN' as const), stream: streamId, verdict: u8, limit: u48, json }),
  record({ type: fc.constant('OPENED' as const), stream: streamId, limit: u48, port: u16 }),
  record({
    type: fc.constant('DATA' as const),
    stream: streamId,
    data: payload.map(bytes => bytes.toString('hex')),
  }),
  record({ type: fc.constant('FIN' as const), stream: streamId }),
  record({ type: fc.constant('RESET' as const), stream: streamId, code: u16, reason }),
  record({ type: fc.constant('CREDIT' as const), stream: streamId, limit: u48 }),
)

const sessionId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes).toString('hex'))

export const message: fc.Arbitrary<PlainMessage> = fc.oneof(
  record({ kind: fc.constantFrom('HELLO', 'WELCOME', 'DRAIN', 'CATALOGUE'), route: fc.constant(0), json }),
  record({
    kind: fc.constantFrom('ATTACH', 'ATTACHED'),
    route: u32,
    epoch: u32,
    sessionId,
    expected: u48,
    json,
  }),
  record({
    kind: fc.constant('DETACH' as const),
    route: u32,
    final: fc.boolean(),
    code: u16,
    retryMs: u32,
    reason,
  }),
  record({
    kind: fc.constant('BATCH' as const),
    route: u32,
    seq: u48,
    ack: u48,
    frames: fc.array(frame, { maxLength: 6 }),
  }),
  record({ kind: fc.constant('ACK' as const), route: u32, ack: u48 }),
  record({ kind: fc.constantFrom('PING', 'PONG'), route: u32, nonce: u48 }),
)

/** Bytes that get past the first checks: the header of a known kind, and often a body of frames with honest lengths. */
export const almostMessage: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.constantFrom(0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x20, 0x20, 0x20, 0x21, 0x22, 0x23, 0x24, 0x7f),
    fc.uint8Array({ maxLength: 60 }),
    fc.array(
      fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 3 }), fc.uint8Array({ maxLength: 12 })),
    ),
  )
  .map(([kind, head, frames]) => {
    const parts = frames.map(([type, stream, body]) =>
      Buffer.concat([Buffer.from([type, 0, 0, 0, stream, 0, 0, body.length]), body]),
    )
    const fixed = kind === 0x20 && frames.length > 0 ? Buffer.concat([head, Buffer.alloc(12)]).subarray(0, 12) : head
    return Buffer.concat([Buffer.from([0, 0, 0, 1, kind, 0]), fixed, ...parts])
  })
