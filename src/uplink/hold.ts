/** What waits while there is no carrier, each for a while and not longer: connections that were accepted, streams that were opened. */
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'

export interface Waiter {
  /** There is a carrier again. */
  ready(): void
  /** The time is up. */
  expired(error: TunnelError): void
}

/** A socket that waits may hold 64 KiB that its client has written already. */
const MAX_WAITERS = 1_024

export class Hold {
  readonly #clock: Clock
  readonly #holdMs: number
  readonly #why: () => TunnelError
  readonly #waiters = new Map<Waiter, () => void>()

  /** @param why the error of a waiter whose time is up */
  constructor(options: { clock: Clock; holdMs: number; why: () => TunnelError }) {
    this.#clock = options.clock
    this.#holdMs = options.holdMs
    this.#why = options.why
  }

  get size(): number {
    return this.#waiters.size
  }

  /**
   * Exactly one of the waiter's methods is called later, unless the returned function is called before.
   * @throws TunnelError LIMIT
   */
  add(waiter: Waiter): () => void {
    if (this.#waiters.size >= MAX_WAITERS) throw new TunnelError('LIMIT', `${MAX_WAITERS} connections wait already`)
    const cancel = this.#clock.after(this.#holdMs, () => {
      this.#waiters.delete(waiter)
      waiter.expired(this.#why())
    })
    this.#waiters.set(waiter, cancel)
    return () => {
      cancel()
      this.#waiters.delete(waiter)
    }
  }

  /** A stream that the agent has not answered yet is reset when its time is up. */
  addStream(stream: Stream): void {
    try {
      const leave = this.add({
        ready: () => stream.off('close', leave),
        expired: error => stream.reset(error),
      })
      stream.once('close', leave)
    } catch (thrown) {
      stream.reset(asTunnelError(thrown))
    }
  }

  release(): void {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const [waiter, cancel] of waiters) {
      cancel()
      waiter.ready()
    }
  }

  /** Nobody will be told any more. */
  clear(): void {
    for (const cancel of this.#waiters.values()) cancel()
    this.#waiters.clear()
  }
}
