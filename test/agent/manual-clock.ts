import type { Clock } from '../../src/clock.ts'

/** A clock that stands still until told to move. */
export class ManualClock implements Clock {
  #now = 0
  #timers = new Set<{ at: number; task: () => void }>()
  #waiters: { count: number; resolve: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.#now + delayMs, task }
    this.#timers.add(timer)
    for (const waiter of this.#waiters) if (this.#timers.size >= waiter.count) waiter.resolve()
    return () => this.#timers.delete(timer)
  }

  defer(task: () => void): void {
    this.after(0, task)
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Resolves once `count` timers are set at the same time. */
  async untilPending(count: number): Promise<void> {
    if (this.pending >= count) return
    await new Promise<void>(resolve => this.#waiters.push({ count, resolve }))
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].sort((a, b) => a.at - b.at).find(timer => timer.at <= end)
      if (!due) break
      this.#timers.delete(due)
      this.#now = due.at
      due.task()
    }
    this.#now = end
  }
}
