/** The times in which the session is lost: since when, until when, and when the next attempt starts. */
import type { Clock } from '../clock.ts'
import type { LinkState } from './state.ts'

export class Outage {
  /** Outages that ended with a resume. */
  resumes = 0
  /** The latest attempt did not even come to the gateway. */
  gatewayAway = false
  readonly #clock: Clock
  #since: number | undefined
  #nextTry: { readonly at: number; readonly reason: string } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param ago it began this many milliseconds ago
   * @param gatewayAway until an attempt has shown it
   * @returns false when it has begun before
   */
  begin(ago: number, gatewayAway: boolean): boolean {
    if (this.#since !== undefined) return false
    this.#since = this.#clock.now() - ago
    this.gatewayAway = gatewayAway
    return true
  }

  /** Returns how long it was, in milliseconds; undefined when there was none. */
  end(): number | undefined {
    const gapMs = this.#since === undefined ? undefined : this.#clock.now() - this.#since
    this.#since = undefined
    return gapMs
  }

  get isWaiting(): boolean {
    return this.#nextTry !== undefined
  }

  waiting(delayMs: number, reason: string): void {
    this.#nextTry = { at: this.#clock.now() + delayMs, reason }
  }

  trying(): void {
    this.#nextTry = undefined
  }

  /** @param streamsHeld how many connections it holds up */
  state(streamsHeld: number): LinkState {
    const now = this.#clock.now()
    const forMs = now - (this.#since ?? now)
    if (this.#nextTry === undefined) return { name: 'resuming', forMs, streamsHeld }
    const { at, reason } = this.#nextTry
    return { name: 'offline', forMs, nextTryMs: Math.max(0, at - now), reason }
  }
}
