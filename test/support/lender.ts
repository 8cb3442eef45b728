import { lend, SLAB_BYTES, type Slab, SlabPool } from '../../src/slab.ts'

/** Lends copies of bytes, in slabs that are ruined as soon as nothing of them is lent any more: who still reads one is found out. */
export class Lender {
  readonly pool = new SlabPool()
  /** Slabs that were ruined. */
  recycled = 0
  #slab: Slab | undefined
  #filled = 0

  constructor() {
    this.pool.onRecycled = slab => {
      this.recycled++
      new Uint8Array(slab).fill(0xdb)
    }
  }

  copy(bytes: Buffer): Buffer {
    if (SLAB_BYTES - this.#filled < bytes.length) this.leave()
    this.#slab ??= this.pool.take()
    if (this.#slab === undefined || bytes.length > SLAB_BYTES) return bytes
    const part = Buffer.from(this.#slab, this.#filled, bytes.length)
    this.#filled += bytes.copy(part)
    lend(part)
    return part
  }

  /** Begins another slab with the next copy. */
  leave(): void {
    if (this.#slab !== undefined) this.pool.leave(this.#slab)
    this.#slab = undefined
    this.#filled = 0
  }
}
