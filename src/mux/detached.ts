/**
 * The sessions that wait for their client to come back: for a time, and within a budget of memory. The one that has waited
 * longest goes first.
 */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { weightOf } from './memory.ts'
import type { Session } from './session.ts'

export interface DetachedLimits {
  /** How long a session without a carrier is kept. */
  readonly ttlMs: number
  /** What all of them may hold together, in bytes. */
  readonly budgetBytes: number
}

export const defaultDetachedLimits: DetachedLimits = { ttlMs: 10 * 60_000, budgetBytes: 256 * 1024 * 1024 }

/** Services go on writing until every buffer is full. */
const LOOK_EVERY_MS = 5_000

export class DetachedSessions {
  readonly #clock: Clock
  readonly #limits: DetachedLimits
  /** In the order in which they were detached, with what forgets their end. */
  readonly #sessions = new Map<Session, () => void>()
  #cancelLook: (() => void) | undefined

  constructor(clock: Clock, limits: DetachedLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get size(): number {
    return this.#sessions.size
  }

  /** `session` has just lost its carrier. */
  add(session: Session): void {
    this.remove(session)
    const { ttlMs } = this.#limits
    this.#sessions.set(
      session,
      this.#clock.after(ttlMs, () => drop(session, 'the session was without a carrier for too long')),
    )
    this.#keepToBudget()
  }

  /** `session` is attached again, or has ended. */
  remove(session: Session): void {
    this.#sessions.get(session)?.()
    this.#sessions.delete(session)
    if (this.#sessions.size > 0) return
    this.#cancelLook?.()
    this.#cancelLook = undefined
  }

  /** Closing a session removes it, by way of its owner. */
  readonly #keepToBudget = (): void => {
    let bytes = 0
    for (const session of this.#sessions.keys()) bytes += weightOf(session)
    for (const session of [...this.#sessions.keys()]) {
      if (bytes <= this.#limits.budgetBytes) break
      bytes -= weightOf(session)
      drop(session, 'the session gave way: too much is held for sessions without a carrier')
    }
    this.#cancelLook?.()
    this.#cancelLook = this.#sessions.size === 0 ? undefined : this.#clock.after(LOOK_EVERY_MS, this.#keepToBudget)
  }
}

const drop = (session: Session, why: string): void => session.close(new TunnelError('SESSION_CLOSED', why))
