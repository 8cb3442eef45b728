/**
 * Messages: what one WebSocket message holds (docs/protocol.md, "Messages"). Pure functions over bytes; every number is
 * big-endian, every offset a u48, which a JavaScript number holds exactly.
 *
 *   route u32 | kind u8 | flags u8 | body
 *
 * Decoders are total: any bytes give a message or a TunnelError PROTOCOL.
 */
import { TunnelError } from '../errors.ts'

export const SUBPROTOCOL = 'tunnelctl.v1'

export const Kind = {
  HELLO: 0x01,
  WELCOME: 0x02,
  DRAIN: 0x03,
  CATALOGUE: 0x04,
  ATTACH: 0x10,
  ATTACHED: 0x11,
  DETACH: 0x12,
  BATCH: 0x20,
  ACK: 0x21,
  PING: 0x22,
  PONG: 0x23,
  DGRAM: 0x24,
} as const

/** Flag of DETACH: the session is over, no resume will succeed. */
export const FLAG_FINAL = 0x01

/** The route of the hop itself: HELLO, WELCOME, DRAIN, CATALOGUE. */
export const HOP_ROUTE = 0

export const HEADER_BYTES = 6
export const BATCH_HEADER_BYTES = HEADER_BYTES + 12
/** The largest message that a receiver takes. */
export const MAX_MESSAGE_BYTES = 128 * 1024
export const MAX_JSON_BYTES = 8 * 1024
export const MAX_REASON_BYTES = 256
export const SESSION_ID_BYTES = 16
/** One above the largest u48. */
const U48 = 2 ** 48
const NONCE_BYTES = 8

export interface Attachment {
  /** Rises by at least one with every attempt; the highest wins. */
  readonly epoch: number
  readonly sessionId: Buffer
  /** Sequence number of the next batch that the sender of this message expects. */
  readonly expected: number
  readonly json: Record<string, unknown>
}

/** Tells sessions apart in a log: the first bytes of their ids, in hex. */
export const shortId = (sessionId: Buffer): string => sessionId.toString('hex', 0, 4)

export interface Detachment {
  readonly final: boolean
  /** Code of the error table (docs/protocol.md, "Codes"). */
  readonly code: number
  /** The earliest moment to try again, from now. 0: the receiver's own backoff decides. */
  readonly retryMs: number
  /** Untrusted text: escape it where shown. */
  readonly reason: string
}

/** What a message that is one buffer goes on in. */
export const NO_REST: readonly Buffer[] = []

/** Length of a message that goes on in `rest`. */
export function messageBytes(message: Buffer, rest: readonly Buffer[]): number {
  let bytes = message.length
  for (const part of rest) bytes += part.length
  return bytes
}

export const routeOf = (message: Buffer): number => message.readUInt32BE(0)
export const kindOf = (message: Buffer): number => message[4] ?? 0

/** Rewrites the route in place. The caller owns `message`: nobody else may still have it queued for sending. */
export const setRoute = (message: Buffer, route: number): void => {
  message.writeUInt32BE(route, 0)
}

/** @throws TunnelError PROTOCOL when `message` is too short to have a header */
export function checkHeader(message: Buffer): void {
  if (message.length < HEADER_BYTES) throw violation(`message of ${message.length} bytes has no header`)
}

// HELLO, WELCOME, DRAIN, CATALOGUE: JSON behind the header.

export function encodeJson(kind: number, json: object): Buffer {
  const body = Buffer.from(JSON.stringify(json))
  return Buffer.concat([header(HOP_ROUTE, kind, 0), body])
}

/** @throws TunnelError PROTOCOL */
export function decodeJson(message: Buffer): Record<string, unknown> {
  return parseJson(message.subarray(HEADER_BYTES))
}

// ATTACH and ATTACHED: epoch u32 | session id, 16 bytes | expected u48 | JSON.

const ATTACHMENT_BYTES = 4 + SESSION_ID_BYTES + 6

export function encodeAttachment(kind: number, route: number, attachment: Attachment): Buffer {
  const json = Buffer.from(JSON.stringify(attachment.json))
  const message = Buffer.concat([header(route, kind, 0), Buffer.alloc(ATTACHMENT_BYTES), json])
  message.writeUInt32BE(attachment.epoch, HEADER_BYTES)
  attachment.sessionId.copy(message, HEADER_BYTES + 4)
  message.writeUIntBE(attachment.expected, HEADER_BYTES + 4 + SESSION_ID_BYTES, 6)
  return message
}

/** @throws TunnelError PROTOCOL */
export function decodeAttachment(message: Buffer): Attachment {
  const jsonAt = HEADER_BYTES + ATTACHMENT_BYTES
  if (message.length < jsonAt) throw violation('ATTACH is truncated')
  return {
    epoch: message.readUInt32BE(HEADER_BYTES),
    sessionId: Buffer.from(message.subarray(HEADER_BYTES + 4, HEADER_BYTES + 4 + SESSION_ID_BYTES)),
    expected: message.readUIntBE(HEADER_BYTES + 4 + SESSION_ID_BYTES, 6),
    json: parseJson(message.subarray(jsonAt)),
  }
}

// DETACH: code u16 | retryMs u32 | reason, UTF-8.

export function encodeDetach(route: number, detachment: Detachment): Buffer {
  const body = Buffer.alloc(6)
  body.writeUInt16BE(detachment.code, 0)
  body.writeUInt32BE(detachment.retryMs, 2)
  return Buffer.concat([
    header(route, Kind.DETACH, detachment.final ? FLAG_FINAL : 0),
    body,
    truncateUtf8(detachment.reason, MAX_REASON_BYTES),
  ])
}

/** @throws TunnelError PROTOCOL */
export function decodeDetach(message: Buffer): Detachment {
  const reasonAt = HEADER_BYTES + 6
  if (message.length < reasonAt) throw violation('DETACH is truncated')
  if (message.length > reasonAt + MAX_REASON_BYTES) throw violation('the reason of DETACH is too long')
  return {
    final: ((message[5] ?? 0) & FLAG_FINAL) !== 0,
    code: message.readUInt16BE(HEADER_BYTES),
    retryMs: message.readUInt32BE(HEADER_BYTES + 2),
    reason: message.toString('utf8', reasonAt),
  }
}

// BATCH: seq u48 | ack u48 | frames. Its frames are frame.ts, its encoder is batch.ts.

/** @throws TunnelError PROTOCOL */
export function decodeBatchHeader(message: Buffer): { readonly seq: number; readonly ack: number } {
  if (message.length < BATCH_HEADER_BYTES) throw violation('BATCH is truncated')
  return { seq: message.readUIntBE(HEADER_BYTES, 6), ack: message.readUIntBE(HEADER_BYTES + 6, 6) }
}

// ACK: ack u48, the sequence number of the next batch that the sender expects.

export function encodeAck(route: number, ack: number): Buffer {
  const message = Buffer.allocUnsafe(HEADER_BYTES + 6)
  writeHeader(message, route, Kind.ACK, 0)
  message.writeUIntBE(ack, HEADER_BYTES, 6)
  return message
}

/** @throws TunnelError PROTOCOL */
export function decodeAck(message: Buffer): number {
  if (message.length !== HEADER_BYTES + 6) throw violation('ACK has the wrong length')
  return message.readUIntBE(HEADER_BYTES, 6)
}

// PING and PONG: nonce, 8 bytes, of which the low six count.

export function encodePing(kind: typeof Kind.PING | typeof Kind.PONG, route: number, nonce: number): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + NONCE_BYTES)
  writeHeader(message, route, kind, 0)
  message.writeUIntBE(nonce % U48, HEADER_BYTES + 2, 6)
  return message
}

/** @throws TunnelError PROTOCOL */
export function decodePing(message: Buffer): number {
  if (message.length !== HEADER_BYTES + NONCE_BYTES) throw violation('PING has the wrong length')
  return message.readUIntBE(HEADER_BYTES + 2, 6)
}

export function writeHeader(message: Buffer, route: number, kind: number, flags: number): void {
  message.writeUInt32BE(route, 0)
  message[4] = kind
  message[5] = flags
}

/** UTF-8 of `text`, cut at a character boundary so that it has at most `maxBytes`. */
export function truncateUtf8(text: string, maxBytes: number): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return bytes
  let end = maxBytes
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

export function violation(message: string): TunnelError {
  return new TunnelError('PROTOCOL', `protocol violation: ${message}`)
}

function header(route: number, kind: number, flags: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  writeHeader(bytes, route, kind, flags)
  return bytes
}

/** A fresh object from JSON; its fields are untrusted and must be picked and checked one by one. */
export function parseJson(bytes: Buffer, maxBytes = MAX_JSON_BYTES): Record<string, unknown> {
  if (bytes.length > maxBytes) throw violation(`JSON of ${bytes.length} bytes is over ${maxBytes}`)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw violation('the body is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw violation('the body is no JSON object')
  return value as Record<string, unknown>
}
