/**
 * How fast one subject may keep the gateway, and the agents behind it, busy. What counts is work, not bytes: a message, a frame in
 * it, a connection that is opened, a session. Whoever is faster waits, on its own side; nothing of it is lost, and nobody is closed.
 */
import type { Clock } from '../clock.ts'
import { Bucket } from '../net/bucket.ts'

/** Of what costs more than a message that is passed on. */
export const WORK = { message: 1, frame: 1, open: 50, denied: 1_000, attach: 50 } as const

/** So much at once keeps nobody else waiting for more than some milliseconds. */
const BURST_S = 0.02
/** The clock is not asked for every message. */
const SETTLE_AT = 32

export class Pace {
  readonly #clock: Pick<Clock, 'now'>
  readonly #bucket: Bucket
  #unsettled = 0

  constructor(clock: Pick<Clock, 'now'>, workPerSecond: number) {
    this.#clock = clock
    this.#bucket = new Bucket(workPerSecond, BURST_S * workPerSecond, clock.now())
  }

  /** Returns for how many milliseconds whoever has caused this work is to be left alone; mostly 0. */
  spend(work: number): number {
    this.#unsettled += work
    if (this.#unsettled < SETTLE_AT) return 0
    const waitMs = this.#bucket.spend(this.#clock.now(), this.#unsettled)
    this.#unsettled = 0
    return waitMs
  }

  /** It could as well be a new one. */
  get isIdle(): boolean {
    return this.#unsettled < SETTLE_AT && this.#bucket.isFull(this.#clock.now())
  }
}
