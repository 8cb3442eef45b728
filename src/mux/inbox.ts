/**
 * The receiving half of a session's numbering: takes each batch once and in order, and acknowledges. An acknowledgement
 * says that this process has the batch, not that anybody has read it; credit says that (window.ts).
 */
import type { Clock } from '../clock.ts'
import { violation } from '../wire/message.ts'

export const ACK_EVERY_BYTES = 256 * 1024
export const ACK_DELAY_MS = 5

export class Inbox {
  readonly #clock: Clock
  readonly #sendAck: (expected: number) => void
  #expected = 0
  #unacknowledgedBytes = 0
  /** When the first of them came. */
  #unacknowledgedSince = 0
  #cancelTimer: (() => void) | undefined

  /** @param sendAck sends an ACK of its own; `takeAck` is for the one that leaves with a batch */
  constructor(clock: Clock, sendAck: (expected: number) => void) {
    this.#clock = clock
    this.#sendAck = sendAck
  }

  /** Sequence number of the next batch. */
  get expected(): number {
    return this.#expected
  }

  /**
   * Returns true when the batch is the next one, false when it is a duplicate and must be dropped.
   * @throws TunnelError PROTOCOL when batches are missing before it
   */
  accept(seq: number, bytes: number): boolean {
    if (seq > this.#expected) throw violation(`batch ${seq} came where ${this.#expected} was expected`)
    if (seq < this.#expected) return false
    this.#expected++
    if (this.#unacknowledgedBytes === 0) this.#unacknowledgedSince = this.#clock.now()
    this.#unacknowledgedBytes += bytes
    if (this.#unacknowledgedBytes >= ACK_EVERY_BYTES) this.#acknowledge()
    else this.#cancelTimer ??= this.#clock.after(ACK_DELAY_MS, this.#timer)
    return true
  }

  /** The number to write into a batch that leaves now: nothing is left to acknowledge after it. */
  takeAck(): number {
    this.#unacknowledgedBytes = 0
    return this.#expected
  }

  /** Forgets the pending acknowledgement: the next attach tells the peer anyway. */
  stop(): void {
    this.#unacknowledgedBytes = 0
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /**
   * The timer is left running when a batch has acknowledged meanwhile: cancelling it for each would cost more. What came after that
   * batch has its own time, or two ends that answer each other would send an ACK of their own with each run of the timer.
   */
  readonly #timer = (): void => {
    this.#cancelTimer = undefined
    if (this.#unacknowledgedBytes === 0) return
    const leftMs = this.#unacknowledgedSince + ACK_DELAY_MS - this.#clock.now()
    if (leftMs <= 0) this.#acknowledge()
    else this.#cancelTimer = this.#clock.after(leftMs, this.#timer)
  }

  #acknowledge(): void {
    this.#sendAck(this.takeAck())
  }
}
