/**
 * WebSocket framing (RFC 6455, section 5) as far as carriers use it: binary messages, ping, pong and close. Bytes in, messages
 * out; no I/O. A large message is handed on in the buffers it arrived in (docs/decisions/0013).
 */
import { giveBack, lend } from '../slab.ts'
import { MAX_MESSAGE_BYTES, NO_REST, truncateUtf8 } from '../wire/message.ts'

export const Opcode = { CONTINUATION: 0x0, TEXT: 0x1, BINARY: 0x2, CLOSE: 0x8, PING: 0x9, PONG: 0xa } as const

export const MAX_FRAME_HEADER_BYTES = 14
const MASK_BYTES = 4
const MAX_CONTROL_BYTES = 125
/** The sender never fragments; a proxy that splits a message is forgiven once. */
const MAX_FRAGMENTS = 2
/** Parts smaller than this are copied together, into blocks, so that a message that trickles in is not a thousand buffers. */
const MIN_PART_BYTES = 4 * 1024
const BLOCK_BYTES = 16 * 1024

export interface FrameHandler {
  /**
   * One binary message: `first`, and what goes on in `rest`. A message of at most 16 KiB is whole in `first`; of a longer one
   * it holds 4 KiB at least. The handler owns the buffers, may change them, and gives them back (slab.ts).
   */
  message(first: Buffer, rest: readonly Buffer[]): void
  /** CLOSE, PING or PONG, with at most 125 bytes, which are not the handler's to keep. */
  control(opcode: number, payload: Buffer): void
}

/** What the peer sent is no frame that we take; `code` is the close code that tells it so. */
export class FramingError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

interface Held {
  readonly chunk: Buffer
  readonly at: number
}

export class FrameReader {
  readonly #handler: FrameHandler
  readonly #masked: boolean
  readonly #header = Buffer.alloc(MAX_FRAME_HEADER_BYTES)
  #headerBytes = 0
  #state: 'header' | 'payload' | 'stopped' = 'header'
  // The frame that is being read.
  #opcode = 0
  #final = false
  /** Bytes of its payload that have not come yet. */
  #left = 0
  #payloadBytes = 0
  #isMasked = false
  readonly #mask = Buffer.alloc(MASK_BYTES)
  readonly #control = new Parts()
  // The message that it belongs to.
  readonly #message = new Parts()
  #messageBytes = 0
  #fragments = 0
  /** What waits for `release`; its own chunks, each from `at` on. */
  #held: Held[] | undefined

  /** @param masked what the peer must do: a client masks, a server does not (RFC 6455, 5.1) */
  constructor(masked: boolean, handler: FrameHandler) {
    this.#masked = masked
    this.#handler = handler
  }

  /**
   * Takes the next bytes; the reader owns `chunk` from now on.
   * @throws FramingError 1002, 1003, 1008 or 1009; nothing may be read after it
   */
  read(chunk: Buffer): void {
    if (this.#held === undefined) this.#read(chunk, 0)
    else this.#held.push({ chunk, at: 0 })
  }

  #read(chunk: Buffer, from: number): void {
    let at = from
    while (this.#state !== 'stopped') {
      if (this.#held !== undefined) return void this.#held.push({ chunk, at })
      if (this.#state === 'header') {
        at = this.#readHeader(chunk, at)
        if (this.#state === 'header') break
      }
      const end = Math.min(chunk.length, at + this.#left)
      if (end > at) this.#take(chunk.subarray(at, end))
      at = end
      if (this.#left > 0) break
      this.#state = 'header'
      this.#ended()
    }
    giveBack(chunk)
  }

  /** Delivers nothing more, also of a chunk that is being read. */
  stop(): void {
    this.#state = 'stopped'
  }

  /** Delivers nothing until `release`, from the next frame on. The caller reads no more from the peer, but for what is under way. */
  hold(): void {
    this.#held ??= []
  }

  /** Goes on where it was held. Throws as `read`. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const [index, { chunk, at }] of held.entries()) {
      this.#read(chunk, at)
      // It was held again: what is left comes behind the rest of this chunk.
      if (this.#held !== undefined) return void (this.#held as Held[]).push(...held.slice(index + 1))
    }
  }

  /** Reads on up to the end of the header; returns where the payload begins. */
  #readHeader(chunk: Buffer, from: number): number {
    const header = this.#header
    let at = from
    while (at < chunk.length) {
      header[this.#headerBytes++] = chunk[at++] ?? 0
      if (this.#headerBytes < 2) continue
      // At once, so that nonsense is not awaited to the end of a header that it would never have.
      if (this.#headerBytes === 2) this.#checkStart()
      const lengthBytes = extendedBytes((header[1] ?? 0) & 0x7f)
      if (this.#headerBytes < 2 + lengthBytes + (this.#isMasked ? MASK_BYTES : 0)) continue
      this.#headerBytes = 0
      this.#begin(lengthBytes)
      this.#state = 'payload'
      return at
    }
    return at
  }

  #checkStart(): void {
    const first = this.#header[0] ?? 0
    const second = this.#header[1] ?? 0
    this.#opcode = first & 0x0f
    this.#final = (first & 0x80) !== 0
    this.#isMasked = (second & 0x80) !== 0
    if ((first & 0x70) !== 0) throw new FramingError(1002, 'reserved bits are set')
    if (this.#isMasked !== this.#masked) {
      throw new FramingError(1002, `the frame is ${this.#masked ? 'not ' : ''}masked`)
    }
    this.#checkOpcode(second & 0x7f)
  }

  #begin(lengthBytes: number): void {
    const header = this.#header
    const short = (header[1] ?? 0) & 0x7f
    const bytes = lengthBytes === 0 ? short : lengthBytes === 2 ? header.readUInt16BE(2) : lengthOf(header)
    if (this.#opcode < Opcode.CLOSE) this.#messageBytes += bytes
    if (this.#messageBytes > MAX_MESSAGE_BYTES) throw new FramingError(1009, 'the message is too large')
    // A zero mask, as our own clients use it over TLS and on loopback, changes nothing.
    if (this.#isMasked) {
      header.copy(this.#mask, 0, 2 + lengthBytes, 2 + lengthBytes + MASK_BYTES)
      this.#isMasked = this.#mask.readUInt32LE(0) !== 0
    }
    this.#left = bytes
    this.#payloadBytes = bytes
  }

  #checkOpcode(length: number): void {
    switch (this.#opcode) {
      case Opcode.CLOSE:
      case Opcode.PING:
      case Opcode.PONG:
        if (!this.#final) throw new FramingError(1002, 'a control frame is fragmented')
        if (length > MAX_CONTROL_BYTES) throw new FramingError(1002, 'a control frame is too long')
        return
      case Opcode.TEXT:
        throw new FramingError(1003, 'text messages are not spoken here')
      case Opcode.BINARY:
        if (this.#fragments > 0) throw new FramingError(1002, 'a message begins inside another')
        return
      case Opcode.CONTINUATION:
        if (this.#fragments === 0) throw new FramingError(1002, 'a continuation of nothing')
        if (this.#fragments === MAX_FRAGMENTS) throw new FramingError(1008, 'too many fragments')
        return
      default:
        throw new FramingError(1002, `unknown opcode ${this.#opcode}`)
    }
  }

  #take(part: Buffer): void {
    if (this.#isMasked) applyMask(part, this.#mask, this.#payloadBytes - this.#left)
    const parts = this.#opcode < Opcode.CLOSE ? this.#message : this.#control
    parts.add(part, this.#left)
    this.#left -= part.length
  }

  #ended(): void {
    if (this.#opcode >= Opcode.CLOSE) {
      const payload = joined(this.#control.taken())
      this.#handler.control(this.#opcode, payload)
      return giveBack(payload)
    }
    this.#fragments++
    if (!this.#final) return
    const parts = this.#message.taken()
    const fragmented = this.#fragments > 1
    this.#fragments = 0
    this.#messageBytes = 0
    const [first] = parts
    if (parts.length === 1 && first !== undefined) return this.#handler.message(first, NO_REST)
    if (fragmented || first === undefined) return this.#handler.message(joined(parts), NO_REST)
    this.#handler.message(first, parts.slice(1))
  }
}

/** Collects what arrives: large parts as they are, small ones copied into blocks. */
class Parts {
  #parts: Buffer[] = []
  #block: Buffer | undefined
  #filled = 0

  /** @param left bytes of the frame that had not come before `part` */
  add(part: Buffer, left: number): void {
    if (this.#block === undefined) {
      if (part.length === left || (part.length >= MIN_PART_BYTES && left > BLOCK_BYTES)) {
        lend(part)
        this.#parts.push(part)
        return
      }
      this.#block = Buffer.allocUnsafe(Math.min(left, BLOCK_BYTES))
    }
    const copied = part.copy(this.#block, this.#filled)
    this.#filled += copied
    if (this.#filled === this.#block.length) {
      this.#parts.push(this.#block)
      this.#block = undefined
      this.#filled = 0
    }
    if (copied < part.length) this.add(part.subarray(copied), left - copied)
  }

  taken(): Buffer[] {
    const parts = this.#parts
    this.#parts = []
    return parts
  }
}

const joined = (parts: readonly Buffer[]): Buffer => {
  const [first] = parts
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
}

/** Bytes of the extended length after the first two (RFC 6455, 5.2). */
const extendedBytes = (length: number): number => (length === 126 ? 2 : length === 127 ? 8 : 0)

/** Whatever is beyond 32 bits is too large by any limit, and need not be exact. */
const lengthOf = (header: Buffer): number => header.readUInt32BE(2) * 2 ** 32 + header.readUInt32BE(6)

/** Applies or removes a mask in place; `offset` is where in the payload `bytes` begins (RFC 6455, 5.3). */
export function applyMask(bytes: Buffer, mask: Buffer, offset: number): void {
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = (bytes[index] ?? 0) ^ (mask[(offset + index) & 3] ?? 0)
  }
}

/** Payload of a CLOSE (RFC 6455, 5.5.1); a reason that is too long is cut. */
export function closePayload(code: number, reason: string): Buffer {
  const text = truncateUtf8(reason, MAX_CONTROL_BYTES - 2)
  const payload = Buffer.alloc(2 + text.length)
  payload.writeUInt16BE(code, 0)
  text.copy(payload, 2)
  return payload
}

/** RFC 6455, 7.4: whether a CLOSE on the wire may carry it. */
export const isCloseCode = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999)
