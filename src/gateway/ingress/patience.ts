/** Exchanges that stand still for too long are ended: each notes when it has moved, and all are looked at once a second. */
import type { Clock } from '../../clock.ts'

const LOOK_MS = 1_000

export interface Watched {
  /** Something has moved: the time begins again, with another limit if one is given. */
  moved(limitMs?: number): void
  /** Nobody waits any more. */
  release(): void
}

interface Entry {
  movedAt: number
  limitMs: number
  /** What moves by itself, unseen: bytes of a connection. */
  readonly position: (() => number) | undefined
  lastPosition: number
  readonly expired: () => void
}

export class Patience {
  readonly #clock: Clock
  readonly #entries = new Set<Entry>()
  #cancel: () => void = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Calls `expired` once, when nothing has moved for `limitMs`, at most a second later.
   * @param position a number that changes while things move; asked once a second
   */
  watch(limitMs: number, expired: () => void, position?: () => number): Watched {
    const entry: Entry = { movedAt: this.#clock.now(), limitMs, position, lastPosition: position?.() ?? 0, expired }
    this.#entries.add(entry)
    if (this.#entries.size === 1) this.#lookLater()
    return {
      moved: (limit = entry.limitMs) => {
        entry.movedAt = this.#clock.now()
        entry.limitMs = limit
      },
      release: () => {
        if (this.#entries.delete(entry) && this.#entries.size === 0) this.#cancel()
      },
    }
  }

  #lookLater(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      const now = this.#clock.now()
      for (const entry of this.#entries) {
        const position = entry.position?.() ?? 0
        if (position !== entry.lastPosition) {
          entry.lastPosition = position
          entry.movedAt = now
        } else if (now - entry.movedAt >= entry.limitMs) {
          this.#entries.delete(entry)
          entry.expired()
        }
      }
      if (this.#entries.size > 0) this.#lookLater()
    })
  }
}
