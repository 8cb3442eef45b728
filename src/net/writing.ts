/** Writes what was read into slabs (slab.ts) to a socket, or to any other output. */
import type { Writable } from 'node:stream'
import { giveBack, isLent } from '../slab.ts'

export class LentWriter {
  readonly #to: Writable
  /** Lent buffers that have not left, in their order. */
  #unsent: Buffer[] | undefined

  constructor(to: Writable) {
    this.#to = to
  }

  /** As `write` of the output, and gives the buffer back when it has left. */
  write(part: Buffer): boolean {
    if (!isLent(part)) return this.#to.write(part)
    this.#unsent ??= []
    this.#unsent.push(part)
    return this.#to.write(part, this.#sent)
  }

  /** Outputs tell of their writes in order. After one that failed it is not plain who still has the buffer. */
  readonly #sent = (error?: Error | null): void => {
    const part = this.#unsent?.shift()
    if (part !== undefined && !error) giveBack(part)
  }
}
