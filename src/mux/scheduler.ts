/**
 * Who sends next. Streams that have little to say go first: a keystroke waits for no bulk transfer, and costs none of them
 * anything. The others take turns: a stream alone may fill a batch; as soon as two want to send, each gets one quantum. Control
 * frames do not come here: they are never held back by data.
 */

/** What the scheduler asks of a stream. */
export interface Sender {
  /** What it has to send, credit or not. */
  readonly pendingBytes: number
  /** Hands over at most `maxBytes`. Returns true while it has more data and credit to send it. */
  serve(maxBytes: number): boolean
}

/** One turn when several streams have data. */
export const QUANTUM_BYTES = 16 * 1024
/** Up to this a stream has little to say. */
export const LITTLE_BYTES = 2 * 1024

export class Scheduler {
  readonly #little = new Set<Sender>()
  /** A Set keeps the order of insertion: the first is next, and who has more goes to the back. */
  readonly #ring = new Set<Sender>()
  readonly #room: (little: boolean) => number
  #pumping = false

  /**
   * @param room how many bytes may be sent in one turn, by a stream that has little to say or by another: 0 while the carrier is
   *   full or too much is unacknowledged; then the owner calls `pump` later
   */
  constructor(room: (little: boolean) => number) {
    this.#room = room
  }

  get waiting(): number {
    return this.#little.size + this.#ring.size
  }

  /** `sender` has data and credit. Sends at once when nothing holds it back. */
  ready(sender: Sender): void {
    if (sender.pendingBytes > LITTLE_BYTES) {
      this.#little.delete(sender)
      this.#ring.add(sender)
    } else if (!this.#ring.has(sender)) this.#little.add(sender)
    this.pump()
  }

  remove(sender: Sender): void {
    this.#little.delete(sender)
    this.#ring.delete(sender)
  }

  clear(): void {
    this.#little.clear()
    this.#ring.clear()
  }

  pump(): void {
    // A stream that is served calls `ready` again from its own write callback; the loops below pick it up.
    if (this.#pumping) return
    this.#pumping = true
    try {
      do this.#serveLittle()
      while (this.#serveNext())
    } finally {
      this.#pumping = false
    }
  }

  /** Each once: who has a little again at once waits until one of the others had its turn. */
  #serveLittle(): void {
    for (let left = this.#little.size; left > 0 && this.#room(true) > 0; left--) {
      for (const sender of this.#little) {
        this.#little.delete(sender)
        if (sender.serve(LITTLE_BYTES)) this.#ring.add(sender)
        break
      }
    }
  }

  /** Returns false when nobody else is to be served now. */
  #serveNext(): boolean {
    for (const sender of this.#ring) {
      const room = this.#room(false)
      if (room <= 0) return false
      this.#ring.delete(sender)
      const share = this.#ring.size === 0 ? room : Math.min(room, QUANTUM_BYTES)
      if (sender.serve(share)) this.#ring.add(sender)
      return true
    }
    return this.#little.size > 0 && this.#room(true) > 0
  }
}
