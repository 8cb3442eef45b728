/** Two TCP sockets joined in memory: back-pressure, half-close and reset as `net.Socket` has them. */
import { Duplex } from 'node:stream'

export class MemorySocket extends Duplex {
  #peer: MemorySocket | undefined
  /** The write that waits until the peer has read. */
  #written: (() => void) | undefined

  private constructor() {
    super({ allowHalfOpen: true })
    this.on('error', () => {})
  }

  static pair(): [MemorySocket, MemorySocket] {
    const [a, b] = [new MemorySocket(), new MemorySocket()]
    a.#peer = b
    b.#peer = a
    return [a, b]
  }

  /** As `net.Socket` has it: the peer sees ECONNRESET. */
  resetAndDestroy(): this {
    if (this.destroyed) return this
    this.#peer?.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    return this.destroy()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const peer = this.#peer
    if (peer === undefined || peer.destroyed) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    if (peer.push(chunk)) done()
    else this.#written = done
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#peer?.push(null)
    done()
  }

  override _read(): void {
    const peer = this.#peer
    if (peer === undefined) return
    const written = peer.#written
    peer.#written = undefined
    written?.()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Whoever waits for this end to read need not wait any more.
    this._read()
    done(error)
  }
}
