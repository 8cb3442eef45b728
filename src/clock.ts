/**
 * Time as an argument. Everything below `cli/` takes a Clock, so that tests and the simulator run years in
 * milliseconds and nothing ever sleeps to synchronise.
 */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs `task` once after `delayMs`; returns the function that cancels it. */
  after(delayMs: number, task: () => void): () => void
  /** Runs `task` once, after the events of this turn of the event loop were handled. */
  defer(task: () => void): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  defer: task => {
    setImmediate(task)
  },
}

/** Resolves after `delayMs`, or at once when `signal` aborts. Never rejects. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** Resolves when `happening` does, or after `atMostMs`. */
export async function waitAtMost(clock: Clock, atMostMs: number, happening: Promise<void> | undefined): Promise<void> {
  const happened = new AbortController()
  await Promise.race([happening, delay(clock, atMostMs, happened.signal)])
  // A timer left behind would keep the process that long after its work is done.
  happened.abort()
}
