/** How long the pings of one side of a WebSocket waited for their pongs (RFC 6455, 5.5.2 and 5.5.3). */

/** In milliseconds. They are measured where the frames pass: from there to the other side and back. */
export interface RoundTripTimes {
  readonly count: number
  readonly lastMs: number
  readonly minMs: number
  readonly meanMs: number
  readonly maxMs: number
}

/** Pings that may wait for an answer; when more do, the oldest is forgotten. */
const MAX_UNANSWERED = 16

export class RoundTrips {
  /** In the order of the pings. Text, because a small Buffer may hold on to a whole slab. */
  readonly #unanswered: { readonly payload: string; readonly at: number }[] = []
  #count = 0
  #last = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0
  #sum = 0

  /** `undefined` as long as no ping was answered. */
  get times(): RoundTripTimes | undefined {
    if (this.#count === 0) return undefined
    const meanMs = this.#sum / this.#count
    return { count: this.#count, lastMs: this.#last, minMs: this.#min, meanMs, maxMs: this.#max }
  }

  /** @param at monotonic milliseconds, here and below */
  pinged(payload: Buffer, at: number): void {
    if (this.#unanswered.length === MAX_UNANSWERED) this.#unanswered.shift()
    this.#unanswered.push({ payload: payload.toString('latin1'), at })
  }

  /**
   * Answers the oldest ping with this payload. Those before it will not be answered any more: a peer may answer the last of
   * several only (5.5.3). A pong that answers nothing is allowed and counts for nothing.
   */
  ponged(payload: Buffer, at: number): void {
    const text = payload.toString('latin1')
    const index = this.#unanswered.findIndex(ping => ping.payload === text)
    const ping = this.#unanswered[index]
    if (ping === undefined) return
    this.#unanswered.splice(0, index + 1)
    this.#last = at - ping.at
    this.#min = Math.min(this.#min, this.#last)
    this.#max = Math.max(this.#max, this.#last)
    this.#sum += this.#last
    this.#count++
  }
}
