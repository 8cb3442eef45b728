/** Whether a peer still speaks and hears, from what has moved between two beats. Arithmetic only. */

export interface HeartbeatOptions {
  readonly intervalMs: number
  /** Silence, in which not one byte arrived, after which the carrier is dead. */
  readonly deadMs: number
  /** Something waits to leave, and for so long not one byte of it did. */
  readonly stuckMs: number
}

export const defaultHeartbeat: HeartbeatOptions = { intervalMs: 15_000, deadMs: 40_000, stuckMs: 60_000 }

/** A beat that comes this much later than it should. */
const LATE_BEAT_MS = 5_000

/** What a socket has moved; bytes, from its beginning on. */
export interface Moved {
  readonly received: number
  /** What has left this process. */
  readonly left: number
  /** What has not. */
  readonly waiting: number
}

export class Liveness {
  readonly #heartbeat: HeartbeatOptions
  #heardAt: number
  #leftAt: number
  #beatAt: number
  #received = 0
  #left = 0

  constructor(heartbeat: HeartbeatOptions, now: number) {
    this.#heartbeat = heartbeat
    this.#heardAt = now
    this.#leftAt = now
    this.#beatAt = now
  }

  /** Something whole has come. */
  heard(now: number): void {
    this.#heardAt = now
  }

  /** Returns why the carrier is dead, or undefined. */
  beat(now: number, { received, left, waiting }: Moved): string | undefined {
    if (received > this.#received) this.#heardAt = Math.max(this.#heardAt, this.#beatAt)
    // This process stood still: what came meanwhile has not been read yet, so silence proves nothing.
    const isLate = now - this.#beatAt > this.#heartbeat.intervalMs + LATE_BEAT_MS
    if (isLate) this.#heardAt = now
    if (isLate || waiting === 0 || left !== this.#left) this.#leftAt = now
    this.#received = received
    this.#left = left
    this.#beatAt = now
    const silentMs = now - this.#heardAt
    const stuckMs = now - this.#leftAt
    if (silentMs >= this.#heartbeat.deadMs) return `nothing was heard for ${seconds(silentMs)}`
    return stuckMs >= this.#heartbeat.stuckMs ? `nothing was taken for ${seconds(stuckMs)}` : undefined
  }

  /** From one beat to the next. */
  get nextBeatMs(): number {
    const untilDeadMs = this.#heartbeat.deadMs - (this.#beatAt - this.#heardAt)
    return Math.min(this.#heartbeat.intervalMs, untilDeadMs)
  }
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`
