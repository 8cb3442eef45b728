/**
 * How many unacknowledged bytes of a session are worth having under way: enough to keep the path busy, and little more, for
 * what is more than that only stands in a queue, in front of the next keystroke. Arithmetic only.
 *
 * In each round trip of a batch the bytes that were acknowledged give the rate of the path. The bound is what the path carries at
 * the best recent rate within its own round-trip time and a margin (docs/decisions/0014). It starts small and doubles with each
 * round trip until a queue shows.
 */
import { ACK_DELAY_MS, ACK_EVERY_BYTES } from './inbox.ts'
import { LITTLE_BYTES } from './scheduler.ts'

const INITIAL_BYTES = 128 * 1024
/** Below this a slow path is not told from one that another sender fills. */
const LEAST_BYTES = 128 * 1024
/**
 * On a path that is shorter than this, delays come from processes that wait for a processor, not from queues: bounding what is
 * under way by them would slow down what waits already.
 */
const SHORT_PATH_MS = 3
const LEAST_ON_SHORT_PATH_BYTES = 1024 * 1024
/** The best rate is that of so many rounds, and of as many before them. */
const ROUNDS = 10

interface Round {
  /** Sequence number of the batch whose acknowledgement ends it. */
  readonly seq: number
  readonly at: number
  readonly delivered: number
}

export class Inflight {
  #limit = INITIAL_BYTES
  #starting = true
  #round: Round | undefined
  #delivered = 0
  /** Data waited for acknowledgements in this round; otherwise its rate says nothing of the path. */
  #held = false
  /** Bytes for a millisecond. */
  #best = 0
  #bestBefore = 0
  #rounds = 0

  /** @param pathMs round-trip time of the path without queues, undefined while unknown */
  limitBytes(pathMs: number | undefined): number {
    const isShort = pathMs !== undefined && pathMs < SHORT_PATH_MS
    return isShort ? Math.max(this.#limit, LEAST_ON_SHORT_PATH_BYTES) : this.#limit
  }

  /** The path is another one: nothing is known of it. */
  reset(): void {
    this.#limit = INITIAL_BYTES
    this.#starting = true
    this.#round = undefined
    this.#best = 0
    this.#bestBefore = 0
    this.#rounds = 0
  }

  /** Data waits because `limitBytes` are under way. */
  held(): void {
    this.#held = true
  }

  /** Batch `seq`, of so many bytes, was sent for the first time. A little one is acknowledged late, and tells nothing. */
  sent(seq: number, bytes: number, now: number): void {
    if (this.#round !== undefined || bytes <= LITTLE_BYTES) return
    this.#round = { seq, at: now, delivered: this.#delivered }
    this.#held = false
  }

  /**
   * Everything below `ack` has arrived.
   * @param bytes that were not known to have arrived before
   * @param pathMs as for `limitBytes`
   */
  acknowledged(ack: number, bytes: number, now: number, pathMs: number | undefined): void {
    this.#delivered += bytes
    const round = this.#round
    if (round === undefined || ack <= round.seq) return
    this.#round = undefined
    const tookMs = Math.max(now - round.at, 0.01)
    this.#learn(tookMs, (this.#delivered - round.delivered) / tookMs, pathMs ?? tookMs)
  }

  #learn(tookMs: number, rate: number, pathMs: number): void {
    if (!this.#held && rate <= this.#best) return
    if (++this.#rounds > ROUNDS) {
      this.#bestBefore = this.#best
      this.#best = 0
      this.#rounds = 1
    }
    this.#best = Math.max(this.#best, rate)
    const marginMs = Math.min(20, 1.5 + pathMs / 4)
    const worthMs = 1.25 * pathMs + marginMs
    if (this.#starting && tookMs < worthMs + ACK_DELAY_MS) {
      if (this.#held) this.#limit *= 2
      return
    }
    this.#starting = false
    const best = Math.max(this.#best, this.#bestBefore)
    const worth = best * worthMs + Math.min(best * ACK_DELAY_MS, ACK_EVERY_BYTES)
    this.#limit = Math.max(LEAST_BYTES, Math.floor(worth))
  }
}
