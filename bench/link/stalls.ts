import type { Stall } from './profile.ts'

/** The time of a link that stands still now and then: both directions, and all that is under way, stop with it. */
export class Stalls {
  readonly #stall: Stall
  readonly #random: () => number
  /** Start of the first slot that was not looked at. */
  #slot: number
  #stalledFrom = Number.NEGATIVE_INFINITY
  #stalledUntil = Number.NEGATIVE_INFINITY
  /** Milliseconds of all stalls that began, the present one included. */
  #lost = 0

  /**
   * @param start the time at which the first slot begins, ms
   * @param random uniform in [0, 1)
   */
  constructor(stall: Stall, start: number, random: () => number) {
    this.#stall = stall
    this.#random = random
    this.#slot = start
  }

  /** @param now ms, not before the call before */
  linkTime(now: number): number {
    const { chance, slotMs, lastsMs } = this.#stall
    for (; this.#slot <= now; this.#slot += slotMs) {
      if (this.#slot < this.#stalledUntil || this.#random() >= chance) continue
      this.#stalledFrom = this.#slot
      this.#stalledUntil = this.#slot + lastsMs
      this.#lost += lastsMs
    }
    const ahead = now < this.#stalledUntil ? lastsMs - (now - this.#stalledFrom) : 0
    return now - this.#lost + ahead
  }
}

/** A source of randomness that gives the same row for the same seed: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
