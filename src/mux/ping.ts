/**
 * Round-trip time and liveness of a session, end to end: a PING that every hop passes on and only the other end answers.
 * WebSocket pings cannot tell this; the gateway answers those itself.
 */
import type { Clock } from '../clock.ts'

/** Samples kept for the percentiles. */
const HISTORY = 120
/** How many of the latest samples the base round-trip time is the least of. */
const BASE_SAMPLES = 12
/** The first ping of a process meets cold code; the second follows soon, so that the base is right early. */
const SECOND_AFTER_MS = 250

export interface PingStatistics {
  readonly nowMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Oldest first. */
  readonly recentMs: readonly number[]
}

export class Ping {
  readonly #clock: Clock
  readonly #send: (nonce: number) => void
  #intervalMs: number
  #nonce = 0
  #sentAt = 0
  #awaiting = false
  /** The answer under way is late for reasons of its own. */
  #outlier = false
  #answers = 0
  #baseMs: number | undefined
  #samples: number[] = []
  #cancel: (() => void) | undefined
  #waiters: (() => void)[] = []

  /** @param send sends one PING with this nonce over the current carrier, or nothing while there is none */
  constructor(options: { clock: Clock; intervalMs: number; send: (nonce: number) => void }) {
    this.#clock = options.clock
    this.#intervalMs = options.intervalMs
    this.#send = options.send
  }

  /**
   * Round-trip time of the path itself, without the queues that our own data builds: the least of the latest samples.
   * Undefined until the first answer. A window that grew by a time measured under load would feed its own growth.
   */
  get baseMs(): number | undefined {
    return this.#baseMs
  }

  /** The latest round-trip time, with whatever queues there are. */
  get latestMs(): number | undefined {
    return this.#samples.at(-1)
  }

  /** A ping was sent over the present carrier and is not answered yet. */
  get awaiting(): boolean {
    return this.#awaiting
  }

  /** How many pings were answered. */
  get answers(): number {
    return this.#answers
  }

  get statistics(): PingStatistics | undefined {
    const nowMs = this.latestMs
    if (nowMs === undefined) return undefined
    const sorted = this.#samples.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? nowMs
    return { nowMs, p50Ms: at(0.5), p99Ms: at(0.99), recentMs: this.#samples.slice(-30) }
  }

  /** Pings at once and then every interval, until `stop`. A ping that was lost with its carrier is forgotten. */
  start(): void {
    this.stop()
    this.#beat()
    this.#cancel?.()
    this.#cancel = this.#clock.after(Math.min(SECOND_AFTER_MS, this.#intervalMs), this.#beat)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#awaiting = false
  }

  /** Pings more often while somebody looks at the figures. */
  setInterval(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return
    this.#intervalMs = intervalMs
    if (this.#cancel !== undefined) this.start()
  }

  /** Resolves at the next answer. */
  next(): Promise<void> {
    return new Promise(resolve => this.#waiters.push(resolve))
  }

  /** The ping under way met a stall: it counts as answered when it is, but its time says nothing of the path. */
  distrust(): void {
    this.#outlier = this.#awaiting
  }

  /** An unexpected nonce is ignored: it answers a ping of an earlier carrier. */
  pong(nonce: number): void {
    if (!this.#awaiting || nonce !== this.#nonce) return
    this.#awaiting = false
    this.#answers++
    if (!this.#outlier) this.#sample(this.#clock.now() - this.#sentAt)
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }

  #sample(ms: number): void {
    this.#samples.push(ms)
    this.#baseMs = Math.min(...this.#samples.slice(-BASE_SAMPLES))
    if (this.#samples.length > HISTORY) this.#samples = this.#samples.slice(-HISTORY)
  }

  readonly #beat = (): void => {
    if (!this.#awaiting) {
      this.#nonce++
      this.#sentAt = this.#clock.now()
      this.#awaiting = true
      this.#outlier = false
      this.#send(this.#nonce)
    }
    this.#cancel = this.#clock.after(this.#intervalMs, this.#beat)
  }
}
