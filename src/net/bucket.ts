/** What is owed at most, in seconds: whoever waits for longer is gone. */
const MOST_OWED_S = 60

/** A token bucket: so many per second in the long run, and some more at once. Arithmetic only. */
export class Bucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at: number

  /**
   * Full at first.
   * @param now milliseconds, of a clock that never goes back; likewise below
   */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#at = now
  }

  /** What there was when it was last asked. */
  get tokens(): number {
    return this.#tokens
  }

  /** Takes `tokens`, or none at all and returns false when there are fewer. */
  take(now: number, tokens = 1): boolean {
    this.#fill(now)
    if (this.#tokens < tokens) return false
    this.#tokens -= tokens
    return true
  }

  /** Gives back what was taken. */
  give(now: number, tokens = 1): void {
    this.#fill(now)
    this.#tokens = Math.min(this.#burst, this.#tokens + tokens)
  }

  /** Takes `tokens`, also those that are still to come. Returns how many milliseconds there are none; a minute at most is owed. */
  spend(now: number, tokens: number): number {
    this.#fill(now)
    this.#tokens = Math.max(-MOST_OWED_S * this.#perSecond, this.#tokens - tokens)
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / this.#perSecond
  }

  /** Nothing was taken for so long that it could as well be a new one. */
  isFull(now: number): boolean {
    this.#fill(now)
    return this.#tokens === this.#burst
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000)
    this.#at = now
  }
}
