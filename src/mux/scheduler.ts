/**
 * Who sends next: streams with data, in turn. A stream alone may fill a batch; as soon as two want to send, each gets one
 * quantum, so that a keystroke never waits for more than one quantum of every other stream. Control frames do not come
 * here: they are never held back by data.
 */

/** What the scheduler asks of a stream. */
export interface Sender {
  /** Hands over at most `maxBytes`. Returns true while it has more data and credit to send it. */
  serve(maxBytes: number): boolean
}

/** One turn when several streams have data. */
export const QUANTUM_BYTES = 16 * 1024
const ALONE_BYTES = 64 * 1024

export class Scheduler {
  /** A Set keeps the order of insertion: the first is next, and who has more goes to the back. */
  readonly #ring = new Set<Sender>()
  readonly #maySend: () => boolean
  #pumping = false

  /** @param maySend false while the carrier is full or too much is unacknowledged; then the owner calls `pump` later */
  constructor(maySend: () => boolean) {
    this.#maySend = maySend
  }

  get waiting(): number {
    return this.#ring.size
  }

  /** `sender` has data and credit. Sends at once when nothing holds it back. */
  ready(sender: Sender): void {
    this.#ring.add(sender)
    this.pump()
  }

  remove(sender: Sender): void {
    this.#ring.delete(sender)
  }

  clear(): void {
    this.#ring.clear()
  }

  pump(): void {
    // A stream that is served calls `ready` again from its own write callback; the loop below picks it up.
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#ring.size > 0 && this.#maySend()) this.#serveNext()
    } finally {
      this.#pumping = false
    }
  }

  #serveNext(): void {
    for (const sender of this.#ring) {
      this.#ring.delete(sender)
      const share = this.#ring.size === 0 ? ALONE_BYTES : QUANTUM_BYTES
      if (sender.serve(share)) this.#ring.add(sender)
      return
    }
  }
}
