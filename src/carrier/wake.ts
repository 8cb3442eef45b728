/**
 * Notices that this machine was asleep, or this process stood still: its carriers are most likely dead then, and nothing
 * tells. Only the time of day goes on in a sleep; the monotonic clock may stop.
 */
import type { Clock } from '../clock.ts'

export interface WakeOptions {
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly wallNow: () => number
  /** Time went on by `sleptMs` more than it should have. */
  readonly woken: (sleptMs: number) => void
}

const LOOK_EVERY_MS = 1_000
const JUMP_MS = 5_000

/** Looks until the returned function is called. */
export function watchWake({ clock, wallNow, woken }: WakeOptions): () => void {
  let before = wallNow()
  const look = () => {
    const now = wallNow()
    const sleptMs = now - before - LOOK_EVERY_MS
    before = now
    cancel = clock.after(LOOK_EVERY_MS, look)
    if (sleptMs > JUMP_MS) woken(sleptMs)
  }
  let cancel = clock.after(LOOK_EVERY_MS, look)
  return () => cancel()
}
