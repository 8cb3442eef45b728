/**
 * Datagrams in a stream of bytes (docs/protocol.md, "Datagrams"): each behind its length as a u16, big-endian, so that their
 * boundaries arrive. A datagram may be empty.
 */

/** What waits to leave as long as the path is slower than the sender; datagrams beyond it are lost, as in a full socket buffer. */
export const MAX_WAITING_BYTES = 256 * 1024

const LENGTH_BYTES = 2

export function encodeDatagram(payload: Uint8Array): Buffer {
  const encoded = Buffer.allocUnsafe(LENGTH_BYTES + payload.length)
  encoded.writeUInt16BE(payload.length, 0)
  encoded.set(payload, LENGTH_BYTES)
  return encoded
}

export class DatagramReader {
  readonly #deliver: (payload: Buffer) => void
  #rest: Buffer = Buffer.alloc(0)

  /** @param deliver owns what it gets */
  constructor(deliver: (payload: Buffer) => void) {
    this.#deliver = deliver
  }

  /** Takes the next bytes of the stream, and keeps less than one datagram of them. */
  read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt16BE(at)
      if (end > bytes.length) break
      this.#deliver(Buffer.from(bytes.subarray(at + LENGTH_BYTES, end)))
      at = end
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }
}
