/** One direction of the link, with those who wait for room in its queue: each in turn puts in a little. */
import type { Clock } from '../../src/clock.ts'
import { queueBytes, Shaper, type ShaperOptions } from './shaper.ts'

/** Somebody who has bytes for the lane. */
export interface Sender {
  /** There is room for so many. Returns as many at most, none only when it has no more: then it waits no longer. */
  give(bytes: number): Buffer
  /** The bytes that it gave, at the other end, in pieces. */
  arrive(bytes: Buffer): void
}

/** Somebody who wants to read so many bytes, and has to wait until the queue has room for them. */
interface Reader {
  readonly bytes: number
  readonly read: () => void
}

/** A turn is a packet, or on a fast link what passes in so many ms. */
const packetBytes = 1_500
const turnMs = 0.2
/** No more often than this it looks for what has arrived; Node's timers know nothing finer. */
const tickMs = 1

export class Lane {
  readonly #shaper: Shaper
  readonly #clock: Clock
  readonly #turnBytes: number
  #waiting: Sender[] = []
  #readers: Reader[] = []
  readonly #mostRoom: number
  /** When the timer that is set will fire. */
  #tickAt = Number.POSITIVE_INFINITY
  #cancel: () => void = () => {}

  /** @param clock of the link: its time may stand still, its timers may be early then */
  constructor(options: ShaperOptions, clock: Clock) {
    this.#shaper = new Shaper(options)
    this.#clock = clock
    this.#mostRoom = queueBytes(options.bitsPerSecond) / 2
    this.#turnBytes = Math.max(packetBytes, Math.floor((options.bitsPerSecond / 8 / 1000) * turnMs))
  }

  /** `sender` has bytes, and is asked for them by and by. Not while it waits already. */
  enlist(sender: Sender): void {
    this.#waiting.push(sender)
    this.#fill()
    this.#plan()
  }

  /** Calls `read` when the queue has room for so many bytes, or for half of what it holds if that is less. */
  whenRoom(bytes: number, read: () => void): void {
    this.#readers.push({ bytes: Math.min(bytes, this.#mostRoom), read })
    this.#admit()
    this.#plan()
  }

  /** Calls `arrive` at the other end, behind all that is in the queue. */
  mark(arrive: () => void): void {
    this.#shaper.mark(this.#clock.now(), arrive)
    this.#plan()
  }

  #fill(): void {
    const now = this.#clock.now()
    const line = this.#waiting
    let served = 0
    while (served < line.length && this.#shaper.room(now) >= this.#turnBytes) {
      const sender = line[served++]
      const bytes = sender?.give(this.#turnBytes)
      if (!sender || !bytes?.length) continue
      this.#shaper.put(now, bytes, piece => sender.arrive(piece))
      line.push(sender)
    }
    if (served > 0) this.#waiting = line.slice(served)
  }

  /** Lets those read for whom there is room, in the order in which they came. What they read comes later. */
  #admit(): void {
    let room = this.#shaper.room(this.#clock.now())
    const admitted = this.#readers.findIndex(({ bytes }) => {
      room -= bytes
      return room < 0
    })
    for (const { read } of this.#readers.splice(0, admitted < 0 ? this.#readers.length : admitted)) read()
  }

  #plan(): void {
    const now = this.#clock.now()
    const next = this.#waiting.length + this.#readers.length > 0 ? now : this.#shaper.next
    if (next === undefined) return
    const at = Math.max(next, now + tickMs)
    if (at >= this.#tickAt) return
    this.#cancel()
    this.#tickAt = at
    this.#cancel = this.#clock.after(at - now, () => {
      this.#tickAt = Number.POSITIVE_INFINITY
      this.#shaper.take(this.#clock.now())
      this.#fill()
      this.#admit()
      this.#plan()
    })
  }
}
