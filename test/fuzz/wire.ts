/** Bytes of one direction of an HTTP connection that becomes a WebSocket: taken apart as they come, and put together again. */
import { applyMask, Opcode } from '../../src/carrier/framing.ts'

export interface FrameSpec {
  readonly opcode?: number
  readonly final?: boolean
  /** RSV1 to RSV3, as they stand in the first byte. */
  readonly reserved?: number
  /** Absent: as a server sends it. */
  readonly mask?: Buffer
  /** What the header says, in place of the truth. */
  readonly claimedBytes?: number
  /** Bytes of the length behind the first two: 0, 2 or 8, in place of the shortest. */
  readonly lengthBytes?: 0 | 2 | 8
}

export function encodeFrame(payload: Buffer, spec: FrameSpec = {}): Buffer {
  const { opcode = Opcode.BINARY, final = true, reserved = 0, mask, claimedBytes = payload.length } = spec
  const extended = spec.lengthBytes ?? (claimedBytes < 126 ? 0 : claimedBytes < 65_536 ? 2 : 8)
  const header = Buffer.alloc(2 + extended)
  header[0] = (final ? 0x80 : 0) | reserved | opcode
  header[1] = (mask === undefined ? 0 : 0x80) | (extended === 0 ? claimedBytes & 0x7f : extended === 2 ? 126 : 127)
  if (extended === 2) header.writeUInt16BE(claimedBytes & 0xffff, 2)
  if (extended === 8) header.writeBigUInt64BE(BigInt(claimedBytes), 2)
  if (mask === undefined) return Buffer.concat([header, payload])
  const masked = Buffer.from(payload)
  applyMask(masked, mask, 0)
  return Buffer.concat([header, mask, masked])
}

export interface Listener {
  /** The request or the answer that comes first, with the empty line behind it. Returns whether frames follow. */
  head(text: string): boolean
  message(bytes: Buffer): void
  control(opcode: number, payload: Buffer): void
}

/** Reads what a real process sends, which is well-formed: anything else throws. */
export class WireReader {
  readonly #listener: Listener
  #pending = Buffer.alloc(0)
  #state: 'head' | 'frames' | 'other' = 'head'
  #fragments: Buffer[] = []

  constructor(listener: Listener) {
    this.#listener = listener
  }

  read(chunk: Buffer): void {
    if (this.#state === 'other') return
    this.#pending = Buffer.concat([this.#pending, chunk])
    if (this.#state === 'head' && !this.#readHead()) return
    while (this.#readFrame());
  }

  #readHead(): boolean {
    const end = this.#pending.indexOf('\r\n\r\n')
    if (end < 0) return false
    const head = this.#pending.toString('latin1', 0, end + 4)
    this.#pending = this.#pending.subarray(end + 4)
    this.#state = this.#listener.head(head) ? 'frames' : 'other'
    return this.#state === 'frames'
  }

  #readFrame(): boolean {
    const bytes = this.#pending
    const [first, second] = bytes
    if (first === undefined || second === undefined) return false
    const short = second & 0x7f
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0
    const start = 2 + extended + ((second & 0x80) === 0 ? 0 : 4)
    if (bytes.length < start) return false
    const length = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < start + length) return false
    const payload = Buffer.from(bytes.subarray(start, start + length))
    if ((second & 0x80) !== 0) applyMask(payload, bytes.subarray(start - 4, start), 0)
    this.#pending = bytes.subarray(start + length)
    this.#frame(first, payload)
    return true
  }

  #frame(first: number, payload: Buffer): void {
    const opcode = first & 0x0f
    if ((first & 0x70) !== 0) throw new Error(`a frame that begins with 0x${first.toString(16)}`)
    if (opcode >= Opcode.CLOSE) return this.#listener.control(opcode, payload)
    if (opcode !== Opcode.BINARY && opcode !== Opcode.CONTINUATION) throw new Error(`a frame with opcode ${opcode}`)
    this.#fragments.push(payload)
    if ((first & 0x80) === 0) return
    const message = Buffer.concat(this.#fragments)
    this.#fragments = []
    this.#listener.message(message)
  }
}
