/** Other processes with this agent's name. One that takes its place again and again is a mistake of whoever started both. */
import type { Clock } from '../clock.ts'

/** This often, within this time, to the same process. */
const MAX_LOSSES = 3
const WITHIN_MS = 60_000

export class Rivals {
  readonly #clock: Clock
  #losses: { readonly to: string; readonly at: number }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The process `instance` has taken this agent's place. Returns true when it is time to give way for good. */
  lostTo(instance: string): boolean {
    const now = this.#clock.now()
    const recent = this.#losses.filter(({ at }) => now - at < WITHIN_MS)
    this.#losses = [...recent, { to: instance, at: now }].slice(-100)
    return this.#losses.filter(({ to }) => to === instance).length >= MAX_LOSSES
  }
}
