/**
 * Frames: the units inside a BATCH (docs/protocol.md, "Frames").
 *
 *   type u8 | stream u32 | length u24 | payload
 *
 * A batch holds whole frames only, so a frame that does not end inside its batch is a violation.
 */
import { Cursor } from './cursor.ts'
import { BATCH_HEADER_BYTES, MAX_REASON_BYTES, parseJson, truncateUtf8, violation } from './message.ts'

export const FrameType = { OPEN: 1, OPENED: 2, DATA: 3, FIN: 4, RESET: 5, CREDIT: 6 } as const

export const FRAME_HEADER_BYTES = 8
export const MAX_OPEN_JSON_BYTES = 4 * 1024

/** First byte of OPEN. A client sends UNDECIDED; the gateway stamps its decision in place. */
export const Verdict = { UNDECIDED: 0, ALLOWED: 1, DENIED: 2 } as const

/** Offset of the verdict inside the payload of OPEN. */
const OPEN_JSON_AT = 7
const CREDIT_BYTES = 6
const RESET_REASON_AT = 2

export interface Open {
  readonly verdict: number
  /** Absolute offset up to which the acceptor may send. */
  readonly limit: number
  readonly json: Record<string, unknown>
}

/**
 * Told of a frame: its payload is the range from `start` to `end` of `part`, which is the batch itself unless the batch goes on
 * in other buffers. It may change the payload's first byte in place, as the gateway does with its verdict.
 */
export type FrameVisitor = (type: number, stream: number, start: number, end: number, part: Buffer) => void

/**
 * Calls `visit` for each frame of a BATCH, in order. Where the batch goes on in `rest`, one DATA frame may be visited in several
 * parts; other frames are whole. Frames before a malformed one have been visited when this throws.
 * @throws TunnelError PROTOCOL on a truncated frame, an unknown type, stream 0, or a payload that the type forbids
 */
export function walkFrames(batch: Buffer, visit: FrameVisitor, rest: readonly Buffer[] = []): void {
  let part = batch
  let next = 0
  let at = BATCH_HEADER_BYTES
  for (;;) {
    while (at + FRAME_HEADER_BYTES <= part.length) {
      const type = part[at] ?? 0
      const stream = part.readUInt32BE(at + 1)
      const start = at + FRAME_HEADER_BYTES
      const end = start + part.readUIntBE(at + 5, 3)
      if (stream === 0) throw violation('a frame names stream 0')
      checkLength(type, end - start)
      if (end > part.length) break
      visit(type, stream, start, end, part)
      at = end
    }
    if (at < part.length) {
      const cursor = new Cursor(part, at, rest, next)
      walkCutFrame(cursor, visit)
      part = cursor.part
      at = cursor.at
      next = cursor.next
    } else {
      const following = rest[next++]
      if (following === undefined) return
      part = following
      at = 0
    }
  }
}

/** Visits the one frame that begins at the cursor and goes on in the next buffer, and leaves the cursor behind it. */
function walkCutFrame(cursor: Cursor, visit: FrameVisitor): void {
  if (cursor.left < FRAME_HEADER_BYTES) throw violation('a frame header is truncated')
  const header = cursor.copy(FRAME_HEADER_BYTES)
  const type = header[0] ?? 0
  const stream = header.readUInt32BE(1)
  const bytes = header.readUIntBE(5, 3)
  if (stream === 0) throw violation('a frame names stream 0')
  checkLength(type, bytes)
  if (cursor.left < bytes) throw violation('a frame is longer than its batch')
  if (type !== FrameType.DATA) {
    const { part, at } = cursor
    const payload = cursor.copy(bytes)
    visit(type, stream, 0, bytes, payload)
    if (bytes > 0) part[at] = payload[0] ?? 0
    return
  }
  for (let left = bytes; left > 0; ) {
    const { part, at } = cursor
    const end = Math.min(part.length, at + left)
    visit(type, stream, at, end, part)
    left -= end - at
    cursor.skip(end - at)
  }
}

function checkLength(type: number, bytes: number): void {
  switch (type) {
    case FrameType.DATA:
      if (bytes === 0) throw violation('DATA is empty')
      return
    case FrameType.FIN:
      if (bytes !== 0) throw violation('FIN has a payload')
      return
    case FrameType.CREDIT:
      if (bytes !== CREDIT_BYTES) throw violation('CREDIT has the wrong length')
      return
    case FrameType.RESET:
      if (bytes < RESET_REASON_AT || bytes > RESET_REASON_AT + MAX_REASON_BYTES)
        throw violation('RESET has the wrong length')
      return
    case FrameType.OPEN:
      if (bytes < OPEN_JSON_AT || bytes > OPEN_JSON_AT + MAX_OPEN_JSON_BYTES)
        throw violation('OPEN has the wrong length')
      return
    case FrameType.OPENED:
      if (bytes !== 8) throw violation('OPENED has the wrong length')
      return
    default:
      throw violation(`unknown frame type ${type}`)
  }
}

// OPEN: verdict u8 | limit u48 | JSON target.

export function encodeOpen(limit: number, json: object): Buffer {
  const body = Buffer.from(JSON.stringify(json))
  const payload = Buffer.alloc(OPEN_JSON_AT + body.length)
  payload[0] = Verdict.UNDECIDED
  payload.writeUIntBE(limit, 1, 6)
  body.copy(payload, OPEN_JSON_AT)
  return payload
}

/** @throws TunnelError PROTOCOL when the JSON is malformed. The range comes from `walkFrames`. */
export function decodeOpen(batch: Buffer, start: number, end: number): Open {
  return {
    verdict: batch[start] ?? 0,
    limit: batch.readUIntBE(start + 1, 6),
    json: parseJson(batch.subarray(start + OPEN_JSON_AT, end), MAX_OPEN_JSON_BYTES),
  }
}

// OPENED: limit u48 | port u16 that the agent dialled.

export function encodeOpened(limit: number, port: number): Buffer {
  const payload = Buffer.allocUnsafe(8)
  payload.writeUIntBE(limit, 0, 6)
  payload.writeUInt16BE(port, 6)
  return payload
}

export function decodeOpened(batch: Buffer, start: number): { readonly limit: number; readonly port: number } {
  return { limit: batch.readUIntBE(start, 6), port: batch.readUInt16BE(start + 6) }
}

// CREDIT: absolute limit u48.

export function encodeCredit(limit: number): Buffer {
  const payload = Buffer.allocUnsafe(CREDIT_BYTES)
  payload.writeUIntBE(limit, 0, 6)
  return payload
}

export const decodeCredit = (batch: Buffer, start: number): number => batch.readUIntBE(start, 6)

// RESET: code u16 | reason, UTF-8.

export function encodeReset(code: number, reason: string): Buffer {
  const text = truncateUtf8(reason, MAX_REASON_BYTES)
  const payload = Buffer.alloc(RESET_REASON_AT + text.length)
  payload.writeUInt16BE(code, 0)
  text.copy(payload, RESET_REASON_AT)
  return payload
}

export function decodeReset(
  batch: Buffer,
  start: number,
  end: number,
): { readonly code: number; readonly reason: string } {
  return { code: batch.readUInt16BE(start), reason: batch.toString('utf8', start + RESET_REASON_AT, end) }
}
