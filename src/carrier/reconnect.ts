/** Dials for ever: one live thing after another, with backoff between them. */
import { type Clock, delay } from '../clock.ts'
import { asTunnelError, type TunnelError } from '../errors.ts'
import { backoffMs } from './backoff.ts'

export interface ReconnectOptions<T> {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly signal: AbortSignal
  readonly dial: (signal: AbortSignal) => Promise<T>
  /** A dial failed, or what it gave has ended, and the next starts in `delayMs`. Throw to give up instead. */
  readonly onRetry?: (delayMs: number, failure: TunnelError | undefined) => void
}

/** What lived this long was a success: the next loss starts over with short waits. */
const STABLE_MS = 30_000

/**
 * Yields what `dial` gives, each after the body of the caller's loop is done with the one before. Ends when `signal`
 * aborts; throws only what `onRetry` throws.
 */
export async function* reconnect<T>(options: ReconnectOptions<T>): AsyncGenerator<T, void, void> {
  const { clock, random, signal, dial, onRetry } = options
  let attempt = 0
  while (!signal.aborted) {
    let failure: TunnelError | undefined
    try {
      const live = await dial(signal)
      const since = clock.now()
      yield live
      if (clock.now() - since >= STABLE_MS) attempt = 0
    } catch (thrown) {
      failure = asTunnelError(thrown)
    }
    if (signal.aborted) return
    const delayMs = backoffMs(attempt++, random())
    onRetry?.(delayMs, failure)
    await delay(clock, delayMs, signal)
  }
}
