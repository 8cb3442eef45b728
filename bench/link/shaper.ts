/**
 * One direction of a link: a queue, a stage that lets so many bits through per second, and a way that takes `delayMs`.
 * A fluid model without timers: what has arrived is computed from the time that it is told, byte by byte. Times are
 * milliseconds, and never go back.
 */

/** Bytes, or a mark: something without a length that keeps its place among them. */
interface Entry {
  /** When its first byte begins to pass the stage. */
  readonly from: number
  readonly bytes: Buffer | undefined
  readonly arrive: (bytes: Buffer) => void
  /** How many of the bytes have arrived. */
  arrived: number
}

export interface ShaperOptions {
  readonly bitsPerSecond: number
  readonly delayMs: number
}

/** What a queue holds: 64 KiB, for the slow links, and 100 ms, as much as many routers have. */
export const queueBytes = (bitsPerSecond: number): number => 64 * 1024 + bitsPerSecond / 8 / 10

/** A byte counts as arrived when it is late by less than this; sums of times are not exact. */
const tolerance = 1e-3

const noBytes = Buffer.alloc(0)

export class Shaper {
  readonly #bytesPerMs: number
  readonly #delayMs: number
  readonly #queueBytes: number
  /** From `#head` on, what is in the queue or on the way. */
  #entries: Entry[] = []
  #head = 0
  /** When the last byte that was put in leaves the stage. */
  #busyUntil = 0

  constructor({ bitsPerSecond, delayMs }: ShaperOptions) {
    this.#bytesPerMs = bitsPerSecond / 8 / 1000
    this.#delayMs = delayMs
    this.#queueBytes = queueBytes(bitsPerSecond)
  }

  /** Bytes that the queue has room for. */
  room(now: number): number {
    const queued = Math.max(0, this.#busyUntil - now) * this.#bytesPerMs
    return Math.floor(this.#queueBytes - queued + tolerance)
  }

  /**
   * Puts bytes into the queue; they must not change until they have arrived.
   * @param arrive gets them, in one or more pieces
   * @throws RangeError when they are more than `room`
   */
  put(now: number, bytes: Buffer, arrive: (bytes: Buffer) => void): void {
    if (bytes.length > this.room(now)) throw new RangeError('the queue is full')
    const from = Math.max(now, this.#busyUntil)
    this.#busyUntil = from + bytes.length / this.#bytesPerMs
    this.#entries.push({ from, bytes, arrive, arrived: 0 })
  }

  /** Puts a mark behind all that is queued. There is always room for it. */
  mark(now: number, arrive: () => void): void {
    this.#entries.push({ from: Math.max(now, this.#busyUntil), bytes: undefined, arrive, arrived: 0 })
  }

  /** Hands over what has arrived by `now` and was not handed over yet, in order. */
  take(now: number): void {
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      const { from, bytes = noBytes, arrive, arrived } = entry
      const passed = now - this.#delayMs - from
      const whole = passed * this.#bytesPerMs + tolerance >= bytes.length
      const due = whole ? bytes.length : Math.floor(passed * this.#bytesPerMs + tolerance)
      if (due > arrived) {
        entry.arrived = due
        arrive(bytes.subarray(arrived, due))
      }
      if (!whole) return
      this.#head++
      if (entry.bytes === undefined) arrive(noBytes)
    }
    this.#entries = []
    this.#head = 0
  }

  /** When the next byte or mark arrives; undefined when nothing is under way. */
  get next(): number | undefined {
    const entry = this.#entries[this.#head]
    if (entry === undefined) return undefined
    const { from, bytes, arrived } = entry
    return from + this.#delayMs + (bytes === undefined ? 0 : (arrived + 1) / this.#bytesPerMs)
  }
}
