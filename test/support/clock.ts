import type { Clock } from '../../src/clock.ts'

interface Timer {
  readonly at: number
  readonly task: () => void
}

/**
 * A clock that stands still until told to move. Order is exact: deferred tasks in the order in which they were deferred,
 * then timers by time, and those of the same time in the order in which they were set.
 */
export class VirtualClock implements Clock {
  #now = 0
  #deferred: (() => void)[] = []
  /** Sorted by time. */
  readonly #timers: Timer[] = []

  now(): number {
    return this.#now
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), task }
    let index = this.#timers.length
    while (index > 0 && (this.#timers[index - 1]?.at ?? 0) > timer.at) index--
    this.#timers.splice(index, 0, timer)
    return () => {
      const found = this.#timers.indexOf(timer)
      if (found >= 0) this.#timers.splice(found, 1)
    }
  }

  defer(task: () => void): void {
    this.#deferred.push(task)
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.length
  }

  /** One turn of the event loop: what was deferred before it. Returns false when nothing was. */
  turn(): boolean {
    const tasks = this.#deferred
    this.#deferred = []
    for (const task of tasks) task()
    return tasks.length > 0
  }

  /** Turn after turn until nothing is deferred; time stands still. Node's own queues run in between. */
  async runUntilIdle(): Promise<void> {
    do await settled()
    while (this.turn())
  }

  /** Lets `ms` pass, with every timer and turn that falls into them. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.runUntilIdle()
    while (this.fire(end)) await this.runUntilIdle()
    this.#now = end
  }

  /** Like `advance` for code without streams and promises: nothing of Node's runs in between. */
  advanceSync(ms: number): void {
    const end = this.#now + ms
    do while (this.turn());
    while (this.fire(end))
    this.#now = end
  }

  /** Runs the next timer, if there is one until `end`. */
  fire(end: number): boolean {
    const next = this.#timers[0]
    if (next === undefined || next.at > end) return false
    this.#timers.shift()
    this.#now = next.at
    next.task()
    return true
  }
}

/** Resolves once `process.nextTick` and promises have nothing left to do: streams work with both. */
export const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
