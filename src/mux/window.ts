/**
 * Credit of one stream, in absolute offsets (docs/protocol.md, "Credit"). Arithmetic only.
 *
 * A limit is the offset up to which the peer may send. It never goes back, so a late or repeated grant is harmless, and a
 * lost one is made good by the next.
 */
import { TunnelError } from '../errors.ts'

/** What a client may send on a stream before OPENED tells it more. */
export const EARLY_DATA_BYTES = 64 * 1024
export const INITIAL_WINDOW_BYTES = 256 * 1024
export const MAX_WINDOW_BYTES = 16 * 1024 * 1024
/** A window that was used up within this many round trips was too small. */
const GROW_WITHIN_ROUND_TRIPS = 4
/** After this long without a grant a grown window falls back: it was sized for traffic that has ended. */
const SHRINK_AFTER_MS = 10_000

export class SendWindow {
  #limit: number
  #sent = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that may be sent now. */
  get available(): number {
    return this.#limit - this.#sent
  }

  get sent(): number {
    return this.#sent
  }

  use(bytes: number): void {
    this.#sent += bytes
  }

  /** Returns true when the grant makes a sender that had run dry go on. A limit below the known one changes nothing. */
  grant(limit: number): boolean {
    if (limit <= this.#limit) return false
    const wasDry = this.available <= 0
    this.#limit = limit
    return wasDry
  }
}

/** Where the growth of windows is accounted: a session's budget. */
export interface WindowBudget {
  /** True when `bytes` were set aside. */
  reserve(bytes: number): boolean
  release(bytes: number): void
}

export class GrowthBudget implements WindowBudget {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  reserve(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false
    this.#used += bytes
    return true
  }

  release(bytes: number): void {
    this.#used -= bytes
  }
}

export class ReceiveWindow {
  readonly #budget: WindowBudget
  #window = INITIAL_WINDOW_BYTES
  #limit: number
  #received = 0
  /** Where consumption stood, and when, at the start of the window that is being measured. */
  #epochConsumed = 0
  #epochAt: number

  /** @param limit what the peer knows it may send: told in OPEN, or EARLY_DATA_BYTES until OPENED */
  constructor(limit: number, budget: WindowBudget, now: number) {
    this.#limit = limit
    this.#budget = budget
    this.#epochAt = now
  }

  get received(): number {
    return this.#received
  }

  get window(): number {
    return this.#window
  }

  get limit(): number {
    return this.#limit
  }

  /** @throws TunnelError FLOW_CONTROL when the peer sent more than it was granted */
  take(bytes: number): void {
    this.#received += bytes
    if (this.#received > this.#limit) {
      throw new TunnelError('FLOW_CONTROL', `${this.#received - this.#limit} bytes were sent beyond the limit`)
    }
  }

  /**
   * The new limit to tell the peer, or undefined while it is not worth a frame: less than a quarter of the window was
   * consumed since the last grant. Grows the window when it was used up fast.
   * @param consumed bytes that the application has taken, from the start of the stream
   * @param rttMs round-trip time, undefined while unknown
   */
  grant(consumed: number, now: number, rttMs: number | undefined): number | undefined {
    if (consumed + this.#window - this.#limit < this.#window / 4) return undefined
    const tookMs = now - this.#epochAt
    if (tookMs > SHRINK_AFTER_MS) this.#resize(INITIAL_WINDOW_BYTES)
    else if (consumed - this.#epochConsumed >= this.#window) {
      if (rttMs !== undefined && tookMs < GROW_WITHIN_ROUND_TRIPS * rttMs) {
        this.#resize(Math.min(MAX_WINDOW_BYTES, this.#window * 2))
      }
    } else return this.#advance(consumed)
    this.#epochConsumed = consumed
    this.#epochAt = now
    return this.#advance(consumed)
  }

  /** Gives back what the window has grown by. Call once, when the stream has ended. */
  release(): void {
    this.#resize(INITIAL_WINDOW_BYTES)
  }

  #advance(consumed: number): number | undefined {
    // A window that shrank may stand below a limit given before, which is never taken back.
    if (consumed + this.#window <= this.#limit) return undefined
    this.#limit = consumed + this.#window
    return this.#limit
  }

  #resize(window: number): void {
    const growth = window - this.#window
    if (growth > 0 && !this.#budget.reserve(growth)) return
    if (growth < 0) this.#budget.release(-growth)
    this.#window = window
  }
}
