/**
 * Round-trip time and liveness of a session, end to end: a PING that every hop passes on and only the other end answers.
 * WebSocket pings cannot tell this; the gateway answers those itself.
 */
import type { Clock } from '../clock.ts'

/** Samples kept for the percentiles. */
const HISTORY = 120
/** Weight of a new sample in the smoothed round-trip time (RFC 6298, 2.3). */
const SMOOTHING = 1 / 8

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
  #smoothedMs: number | undefined
  #samples: number[] = []
  #cancel: (() => void) | undefined
  #waiters: (() => void)[] = []

  /** @param send sends one PING with this nonce over the current carrier, or nothing while there is none */
  constructor(options: { clock: Clock; intervalMs: number; send: (nonce: number) => void }) {
    this.#clock = options.clock
    this.#intervalMs = options.intervalMs
    this.#send = options.send
  }

  /** Smoothed round-trip time, undefined until the first answer. */
  get rttMs(): number | undefined {
    return this.#smoothedMs
  }

  get statistics(): PingStatistics | undefined {
    const nowMs = this.#samples.at(-1)
    if (nowMs === undefined) return undefined
    const sorted = this.#samples.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? nowMs
    return { nowMs, p50Ms: at(0.5), p99Ms: at(0.99), recentMs: this.#samples.slice(-30) }
  }

  /** Pings at once and then every interval, until `stop`. A ping that was lost with its carrier is forgotten. */
  start(): void {
    this.stop()
    this.#beat()
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

  /** An unexpected nonce is ignored: it answers a ping of an earlier carrier. */
  pong(nonce: number): void {
    if (!this.#awaiting || nonce !== this.#nonce) return
    this.#awaiting = false
    const ms = this.#clock.now() - this.#sentAt
    this.#smoothedMs = this.#smoothedMs === undefined ? ms : this.#smoothedMs + (ms - this.#smoothedMs) * SMOOTHING
    this.#samples.push(ms)
    if (this.#samples.length > HISTORY) this.#samples = this.#samples.slice(-HISTORY)
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }

  readonly #beat = (): void => {
    if (!this.#awaiting) {
      this.#nonce++
      this.#sentAt = this.#clock.now()
      this.#awaiting = true
      this.#send(this.#nonce)
    }
    this.#cancel = this.#clock.after(this.#intervalMs, this.#beat)
  }
}
