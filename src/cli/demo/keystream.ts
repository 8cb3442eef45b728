/**
 * Endless bytes that both ends of a transfer can make for themselves: AES in counter mode over zeros. They never repeat, so
 * a byte that was lost, doubled, changed or moved is found where it happens, at memory speed.
 */
import { type Cipher, createCipheriv } from 'node:crypto'

const CHUNK_BYTES = 65_536
const zeros = Buffer.alloc(CHUNK_BYTES)

export class Keystream {
  readonly #cipher: Cipher

  /** @param seed a different stream of bytes for each u32 */
  constructor(seed: number) {
    const key = Buffer.alloc(16)
    key.writeUInt32BE(seed)
    this.#cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  }

  /** The next 64 KiB. */
  next(): Buffer {
    return this.#cipher.update(zeros)
  }

  /** True when `bytes` are the next of the stream. */
  matches(bytes: Buffer): boolean {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const part = bytes.subarray(at, at + CHUNK_BYTES)
      if (!this.#cipher.update(zeros.subarray(0, part.length)).equals(part)) return false
    }
    return true
  }
}
