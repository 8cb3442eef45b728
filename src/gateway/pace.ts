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

export class Pace {
  readonly #clock: Pick<Clock, 'now'>
  readonly #bucket: Bucket

  constructor(clock: Pick<Clock, 'now'>, workPerSecond: number) {
    this.#clock = clock
    this.#bucket = new Bucket(workPerSecond, BURST_S * workPerSecond, clock.now())
  }

  /** Returns for how many milliseconds whoever has caused this work is to be left alone; mostly 0. */
  spend(work: number): number {
    return this.#bucket.spend(this.#clock.now(), work)
  }

  /** For how long still. */
  get waitMs(): number {
    return this.spend(0)
  }

  /** It could as well be a new one. */
  get isIdle(): boolean {
    return this.#bucket.isFull(this.#clock.now())
  }
}
