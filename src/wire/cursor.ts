/** A place in a message that lies in several buffers: at a byte that is there, or behind the last. */
export class Cursor {
  /** The buffer in which the next byte lies. */
  part: Buffer
  /** Its offset there. */
  at: number
  /** Index in `rest` of the buffer that follows. */
  next: number
  readonly #rest: readonly Buffer[]

  constructor(part: Buffer, at: number, rest: readonly Buffer[], next: number) {
    this.part = part
    this.at = at
    this.next = next
    this.#rest = rest
  }

  /** Bytes from here to the end of the message. */
  get left(): number {
    let bytes = this.part.length - this.at
    for (let index = this.next; index < this.#rest.length; index++) bytes += this.#rest[index]?.length ?? 0
    return bytes
  }

  skip(bytes: number): void {
    this.at += bytes
    while (this.at >= this.part.length) {
      const following = this.#rest[this.next]
      if (following === undefined) return
      this.at -= this.part.length
      this.part = following
      this.next++
    }
  }

  /** A copy of the next bytes, which are passed over. There must be so many. */
  copy(bytes: number): Buffer {
    const copy = Buffer.allocUnsafe(bytes)
    for (let filled = 0; filled < bytes; ) {
      const copied = this.part.copy(copy, filled, this.at, this.at + bytes - filled)
      filled += copied
      this.skip(copied)
    }
    return copy
  }
}
