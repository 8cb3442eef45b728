/**
 * The receiving half of a session's numbering: takes each batch once and in order, and acknowledges. An acknowledgement
 * says that this process has the batch, not that anybody has read it; credit says that (window.ts).
 */
import type { Clock } from '../clock.ts'
import { violation } from '../wire/message.ts'
import { LITTLE_BYTES } from './scheduler.ts'

export const ACK_EVERY_BYTES = 256 * 1024
export const ACK_DELAY_MS = 5
/** While no more than LITTLE_BYTES came, the answer to them, or the next thing that is typed, acknowledges them by itself. */
export const LITTLE_ACK_DELAY_MS = 250

export class Inbox {
  readonly #clock: Clock
  readonly #sendAck: (expected: number) => void
  #expected = 0
  #unacknowledgedBytes = 0
  /** When they are acknowledged at the latest. */
  #dueAt = 0
  #timerAt = 0
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
    if (this.#unacknowledgedBytes === 0) this.#dueAt = this.#clock.now() + LITTLE_ACK_DELAY_MS
    this.#unacknowledgedBytes += bytes
    if (this.#unacknowledgedBytes >= ACK_EVERY_BYTES) this.#acknowledge()
    else if (this.#unacknowledgedBytes > LITTLE_BYTES) this.soon()
    else this.#arm()
    return true
  }

  /** The peer waits for the acknowledgement of what came, or nothing is likely to leave that would carry it. */
  soon(): void {
    if (this.#unacknowledgedBytes === 0) return
    this.#dueAt = Math.min(this.#dueAt, this.#clock.now() + ACK_DELAY_MS)
    this.#arm()
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
    if (this.#clock.now() >= this.#dueAt) this.#acknowledge()
    else this.#arm()
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined) {
      if (this.#timerAt <= this.#dueAt) return
      this.#cancelTimer()
    }
    this.#timerAt = this.#dueAt
    this.#cancelTimer = this.#clock.after(this.#dueAt - this.#clock.now(), this.#timer)
  }

  #acknowledge(): void {
    this.#sendAck(this.takeAck())
  }
}
