/**
 * Reads the bytes of one direction of an upgraded WebSocket as they pass, and says which frames they are (RFC 6455, section 5).
 * It looks on and nothing more: the bytes are somebody else's, before and after, and what it cannot read ends only its own
 * reports. Extensions pass as they are, so the payload of a message is opaque, and is skipped unread.
 */
import { MAX_FRAME_HEADER_BYTES, Opcode } from '../../carrier/framing.ts'
import type { DataFrame, Frame, Side } from './frame.ts'

export interface FrameTapOptions {
  readonly from: Side
  /** Called for a data frame once its header has passed, for a control frame once all of it has. Must not throw. */
  readonly report: (frame: Frame) => void
  /** `false`: `report` is called for control frames only, and data frames are counted without an object for each. */
  readonly reportData?: boolean
}

/** What has passed so far. */
export interface FrameTotals {
  /** Of every kind, counted when they are reported. */
  readonly frames: number
  /** Messages of which the header of the last frame has passed. */
  readonly text: number
  readonly binary: number
  /** Payload of data frames that has really passed, in bytes, compressed if it was sent so. */
  readonly bytes: number
}

const NOTHING = Buffer.alloc(0)
const MASK_BYTES = 4
/** Of the upper half of a length: more is beyond 2^53 - 1, where numbers are no longer exact. */
const MAX_UPPER = 2 ** 21 - 1

/**
 * Keeps at most 14 bytes of a header and 125 of a control frame between two chunks. RSV1 is taken on any frame and a length
 * in more bytes than it needs is taken too, because the two ends decide what they agreed on; anything else that section 5
 * forbids in the frames themselves is a violation.
 */
export class FrameTap {
  #broken: string | undefined = undefined
  readonly #report: (frame: Frame) => void
  readonly #reportData: boolean
  readonly #maskBit: number
  /** The header that has not come whole; while a control frame is taken, its masking key. */
  readonly #header = Buffer.alloc(MAX_FRAME_HEADER_BYTES)
  #headerBytes = 0
  /** Payload bytes of the current frame that have not passed. */
  #left = 0
  /** The current frame if it is a control frame: its first byte, and what of its payload has come. */
  #controlStart = 0
  #control = NOTHING
  /** TEXT or BINARY in the middle of a fragmented message, else 0. */
  #message = 0
  #frames = 0
  #text = 0
  #binary = 0
  #bytes = 0

  constructor({ from, report, reportData = true }: FrameTapOptions) {
    this.#maskBit = from === 'client' ? 0x80 : 0
    this.#report = report
    this.#reportData = reportData
  }

  /** The violation that ended the reports for good, a fixed text; `undefined` as long as every frame was well-formed. */
  get broken(): string | undefined {
    return this.#broken
  }

  get totals(): FrameTotals {
    return { frames: this.#frames, text: this.#text, binary: this.#binary, bytes: this.#bytes }
  }

  /** Bytes kept of chunks that have passed: at most 14 of a header and 125 of a control frame. */
  get kept(): number {
    const taken = this.#control.length > 0 ? this.#control.length - this.#left + MASK_BYTES : 0
    return this.#headerBytes + taken
  }

  /**
   * Takes the next bytes, in any portions, from the first one after the handshake on. Neither changes `chunk` nor keeps it.
   * Never throws.
   */
  read(chunk: Uint8Array): void {
    const end = chunk.length
    let at = 0
    while (at < end && this.#broken === undefined) {
      if (this.#left > 0) {
        const passing = Math.min(this.#left, end - at)
        if (this.#control.length > 0) this.#takeControl(chunk, at, passing)
        else {
          this.#left -= passing
          this.#bytes += passing
        }
        at += passing
      } else if (this.#headerBytes > 0 || end - at < MAX_FRAME_HEADER_BYTES) {
        at = this.#collectHeader(chunk, at)
      } else {
        const second = chunk[at + 1] ?? 0
        this.#broken = this.#violation(chunk[at] ?? 0, second)
        if (this.#broken === undefined) {
          this.#begin(chunk, at)
          at += headerBytes(second)
        }
      }
    }
  }

  /** For a header that may end in a later chunk; returns where it ends, or the chunk. */
  #collectHeader(chunk: Uint8Array, from: number): number {
    const header = this.#header
    for (let at = from; at < chunk.length; at++) {
      header[this.#headerBytes++] = chunk[at] ?? 0
      if (this.#headerBytes < 2) continue
      const second = header[1] ?? 0
      // At once, so that nonsense is not awaited to the end of a header that it would never have.
      if (this.#headerBytes === 2) {
        this.#broken = this.#violation(header[0] ?? 0, second)
        if (this.#broken !== undefined) break
      }
      if (this.#headerBytes !== headerBytes(second)) continue
      this.#headerBytes = 0
      this.#begin(header, 0)
      return at + 1
    }
    if (this.#broken !== undefined) this.#headerBytes = 0
    return chunk.length
  }

  #violation(first: number, second: number): string | undefined {
    const opcode = first & 0x0f
    if ((first & 0x30) !== 0) return 'RSV2 or RSV3 is set'
    if ((second & 0x80) !== this.#maskBit) {
      return this.#maskBit === 0 ? 'a frame of the service is masked' : 'a frame of the client is not masked'
    }
    if (opcode >= Opcode.CLOSE) {
      const bytes = second & 0x7f
      if (opcode > Opcode.PONG) return 'a reserved opcode'
      if ((first & 0x80) === 0) return 'a fragmented control frame'
      if (bytes > 125) return 'a control frame of more than 125 bytes'
      return opcode === Opcode.CLOSE && bytes === 1 ? 'a close code of one byte' : undefined
    }
    if (opcode > Opcode.BINARY) return 'a reserved opcode'
    if ((opcode === Opcode.CONTINUATION) === (this.#message !== 0)) return undefined
    return opcode === Opcode.CONTINUATION ? 'a continuation of nothing' : 'a message inside another'
  }

  /** The whole header is at `from`, and its first two bytes are no violation. */
  #begin(header: Uint8Array, from: number): void {
    const first = header[from] ?? 0
    const short = (header[from + 1] ?? 0) & 0x7f
    if ((first & 0x0f) >= Opcode.CLOSE) return this.#beginControl(first, short, header, from + 2)
    const bytes = short < 126 ? short : short === 126 ? readUint16(header, from + 2) : readUint64(header, from + 2)
    if (bytes < 0) {
      this.#broken = 'a length beyond 2^53'
      return
    }
    this.#left = bytes
    this.#frames++
    const opcode = first & 0x0f
    const message = opcode === Opcode.CONTINUATION ? this.#message : opcode
    this.#message = first >= 0x80 ? 0 : message
    if (first >= 0x80) {
      if (message === Opcode.TEXT) this.#text++
      else this.#binary++
    }
    if (this.#reportData) this.#report(dataFrame(first, this.#maskBit !== 0, bytes))
  }

  #beginControl(first: number, bytes: number, header: Uint8Array, keyAt: number): void {
    this.#controlStart = first
    if (bytes === 0) return this.#reportControl(NOTHING)
    this.#left = bytes
    // Not of Node's pool, a slab of which would be kept for a few bytes.
    this.#control = Buffer.alloc(bytes)
    for (let index = 0; index < MASK_BYTES; index++) {
      this.#header[index] = this.#maskBit === 0 ? 0 : (header[keyAt + index] ?? 0)
    }
  }

  #takeControl(chunk: Uint8Array, from: number, bytes: number): void {
    const payload = this.#control
    const done = payload.length - this.#left
    for (let index = 0; index < bytes; index++) {
      payload[done + index] = (chunk[from + index] ?? 0) ^ (this.#header[(done + index) & 3] ?? 0)
    }
    this.#left -= bytes
    if (this.#left > 0) return
    this.#control = NOTHING
    this.#reportControl(payload)
  }

  #reportControl(payload: Buffer): void {
    this.#frames++
    const head = {
      fin: true,
      rsv1: (this.#controlStart & 0x40) !== 0,
      masked: this.#maskBit !== 0,
      bytes: payload.length,
    }
    switch (this.#controlStart & 0x0f) {
      case Opcode.PING:
        return this.#report({ opcode: Opcode.PING, ...head, payload })
      case Opcode.PONG:
        return this.#report({ opcode: Opcode.PONG, ...head, payload })
      default: {
        const code = payload.length === 0 ? 1005 : payload.readUInt16BE(0)
        this.#report({ opcode: Opcode.CLOSE, ...head, code, reason: payload.toString('utf8', 2) })
      }
    }
  }
}

function dataFrame(first: number, masked: boolean, bytes: number): DataFrame {
  const bits = first & 0x0f
  const opcode = bits === Opcode.TEXT ? Opcode.TEXT : bits === Opcode.BINARY ? Opcode.BINARY : Opcode.CONTINUATION
  return { opcode, fin: first >= 0x80, rsv1: (first & 0x40) !== 0, masked, bytes }
}

/** By its second byte. */
function headerBytes(second: number): number {
  const short = second & 0x7f
  return 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + (second >= 0x80 ? MASK_BYTES : 0)
}

const readUint16 = (from: Uint8Array, at: number): number => ((from[at] ?? 0) << 8) | (from[at + 1] ?? 0)
const readUint32 = (from: Uint8Array, at: number): number => readUint16(from, at) * 65_536 + readUint16(from, at + 2)

/** -1 beyond 2^53 - 1. */
function readUint64(from: Uint8Array, at: number): number {
  const upper = readUint32(from, at)
  return upper > MAX_UPPER ? -1 : upper * 2 ** 32 + readUint32(from, at + 4)
}
