/**
 * Gathers the frames of one turn of the event loop and encodes them as BATCH messages. Large payloads go into the message as
 * they are, small ones are copied when it is encoded and given back (slab.ts); the caller must not change a payload after it was
 * added.
 */
import { giveBack } from '../slab.ts'
import { FRAME_HEADER_BYTES } from './frame.ts'
import { BATCH_HEADER_BYTES, Kind, writeHeader } from './message.ts'

/** A batch is sent when this many bytes of frames are gathered; one larger frame makes a batch of its own. */
export const BATCH_TARGET_BYTES = 64 * 1024

/** Below this, copying a payload costs less than another buffer for the kernel, and does not pin the chunk it is part of. */
const BY_REFERENCE_BYTES = 4 * 1024

export class BatchBuilder {
  readonly #types: number[] = []
  readonly #streams: number[] = []
  readonly #payloads: (Buffer | null)[] = []
  /** Frames before this index are encoded already. */
  #head = 0
  #bytes = 0

  /** Bytes of gathered frames, headers included. */
  get bytes(): number {
    return this.#bytes
  }

  add(type: number, stream: number, payload: Buffer | null): void {
    this.#types.push(type)
    this.#streams.push(stream)
    this.#payloads.push(payload)
    this.#bytes += FRAME_HEADER_BYTES + (payload === null ? 0 : payload.length)
  }

  /** The size of the message that `encode` would make now; 0 when nothing is gathered. */
  nextBytes(): number {
    const frames = this.#nextFrames()
    return frames.end === this.#head ? 0 : BATCH_HEADER_BYTES + frames.bytes
  }

  /**
   * Encodes the oldest frames, as many as fit BATCH_TARGET_BYTES and at least one. Call only when `nextBytes() > 0`.
   * @param rest gets what the message goes on in, after the returned buffer; without it the message is one buffer
   */
  encode(route: number, seq: number, ack: number, rest?: Buffer[]): Buffer {
    const { end, bytes } = this.#nextFrames()
    const referenced = rest === undefined ? 0 : this.#referencedBytes(end)
    const copied = Buffer.allocUnsafe(BATCH_HEADER_BYTES + bytes - referenced)
    writeHeader(copied, route, Kind.BATCH, 0)
    copied.writeUIntBE(seq, 6, 6)
    copied.writeUIntBE(ack, 12, 6)
    let first: Buffer | undefined
    let from = 0
    let at = BATCH_HEADER_BYTES
    for (let index = this.#head; index < end; index++) {
      const payload = this.#payloads[index] ?? null
      copied[at] = this.#types[index] ?? 0
      copied.writeUInt32BE(this.#streams[index] ?? 0, at + 1)
      copied.writeUIntBE(payload === null ? 0 : payload.length, at + 5, 3)
      at += FRAME_HEADER_BYTES
      if (payload === null) continue
      if (rest === undefined || payload.length < BY_REFERENCE_BYTES) {
        payload.copy(copied, at)
        giveBack(payload)
        at += payload.length
        continue
      }
      const run = copied.subarray(from, at)
      if (first === undefined) first = run
      else rest.push(run)
      rest.push(payload)
      from = at
    }
    this.#bytes -= bytes
    this.#drop(end)
    if (first === undefined) return copied
    if (from < at) rest?.push(copied.subarray(from, at))
    return first
  }

  #referencedBytes(end: number): number {
    let bytes = 0
    for (let index = this.#head; index < end; index++) {
      const length = this.#payloads[index]?.length ?? 0
      if (length >= BY_REFERENCE_BYTES) bytes += length
    }
    return bytes
  }

  #nextFrames(): { end: number; bytes: number } {
    const payloads = this.#payloads
    if (this.#bytes <= BATCH_TARGET_BYTES + FRAME_HEADER_BYTES) return { end: payloads.length, bytes: this.#bytes }
    let end = this.#head
    let bytes = 0
    while (end < payloads.length) {
      const next = FRAME_HEADER_BYTES + (payloads[end]?.length ?? 0)
      if (end > this.#head && bytes + next > BATCH_TARGET_BYTES + FRAME_HEADER_BYTES) break
      bytes += next
      end++
    }
    return { end, bytes }
  }

  #drop(end: number): void {
    if (end < this.#payloads.length) {
      this.#payloads.fill(null, this.#head, end)
      this.#head = end
      return
    }
    this.#types.length = 0
    this.#streams.length = 0
    this.#payloads.length = 0
    this.#head = 0
  }
}
