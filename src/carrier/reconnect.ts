/** Dials for ever: one live thing after another, with backoff between them, or at once when somebody is in a hurry. */
import { type Clock, delay } from '../clock.ts'
import { asTunnelError, type TunnelError } from '../errors.ts'
import { backoffMs } from './backoff.ts'

export interface ReconnectOptions<T> {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Ends it all. */
  readonly signal: AbortSignal
  /** Must give up when its signal aborts: at the end, and when `hurry` finds this dial too old. */
  readonly dial: (signal: AbortSignal) => Promise<T>
  /** A dial failed, or what it gave has ended, and the next starts in `delayMs`. Throw to give up instead. */
  readonly onRetry?: (delayMs: number, failure: TunnelError | undefined) => void
}

/** What lived this long was a success: the next loss starts over with short waits. */
const STABLE_MS = 1_000

/**
 * Iterating yields what `dial` gives, each after the body of the caller's loop is done with the one before: because that
 * has ended, or because a successor shall be dialled beside it. Ends when the signal aborts; throws only what `onRetry`
 * throws.
 */
export class Reconnect<T> implements AsyncIterable<T> {
  readonly #options: ReconnectOptions<T>
  #hurry = new AbortController()

  constructor(options: ReconnectOptions<T>) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.#hurry.abort(), { once: true })
  }

  /** The next dial starts now: a wait, or a dial that is under way, is cut short. */
  hurry(): void {
    this.#hurry.abort()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    const { clock, random, signal, dial, onRetry } = this.#options
    let attempt = 0
    while (!signal.aborted) {
      this.#hurry = new AbortController()
      const hurried = this.#hurry.signal
      let failure: TunnelError | undefined
      try {
        const live = await dial(hurried)
        const since = clock.now()
        yield live
        if (clock.now() - since >= STABLE_MS) attempt = 0
      } catch (thrown) {
        failure = asTunnelError(thrown)
      }
      if (signal.aborted) return
      if (hurried.aborted) continue
      const delayMs = backoffMs(attempt++, random())
      onRetry?.(delayMs, failure)
      await delay(clock, delayMs, hurried)
    }
  }
}
