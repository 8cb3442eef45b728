/**
 * The batches that the peer has not acknowledged, oldest first. They are all that a resume has to send again, and their
 * bytes are all that a session keeps in flight: the session waits while `bytes` is at its bound.
 */
import { TunnelError } from '../errors.ts'
import { giveBackAll } from '../slab.ts'

/** A BATCH message as it is kept: `rest` is what it goes on in after `first`. */
export interface KeptBatch {
  readonly first: Buffer
  readonly rest: readonly Buffer[]
  readonly bytes: number
  /** How many bytes its route had been handed when it had been: it has left when so many have. */
  leavesAt: number
}

export class ReplayBuffer {
  #batches: (KeptBatch | undefined)[] = []
  /** Index of the oldest batch kept; what lies before it is acknowledged. */
  #head = 0
  #acknowledged = 0
  #bytes = 0

  /** Sequence number of the next batch to be sent. */
  get nextSeq(): number {
    return this.#acknowledged + this.#batches.length - this.#head
  }

  /** Everything below this sequence number has arrived. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  get bytes(): number {
    return this.#bytes
  }

  get batches(): number {
    return this.#batches.length - this.#head
  }

  /** Keeps `batch`, which must carry `nextSeq`. It must not change while it is kept. */
  push(batch: KeptBatch): void {
    this.#batches.push(batch)
    this.#bytes += batch.bytes
  }

  /** The batches kept now are sent over another route, or were: when the first has let go of them is not known. */
  forgetRoute(): void {
    for (let index = this.#head; index < this.#batches.length; index++) {
      const kept = this.#batches[index]
      if (kept !== undefined) kept.leavesAt = Number.POSITIVE_INFINITY
    }
  }

  /**
   * Frees what the peer has, and gives back (slab.ts) what has left besides: a peer may acknowledge what it never got. An
   * acknowledgement below the known one is late and changes nothing.
   * @param leftBytes of those handed to the route
   * @returns true when something was freed
   * @throws TunnelError PROTOCOL when the peer acknowledges what was never sent
   */
  acknowledge(ack: number, leftBytes: number): boolean {
    if (ack > this.nextSeq) throw new TunnelError('PROTOCOL', `batch ${ack} was acknowledged before it was sent`)
    if (ack <= this.#acknowledged) return false
    while (this.#acknowledged < ack) {
      const kept = this.#batches[this.#head]
      this.#batches[this.#head++] = undefined
      this.#bytes -= kept?.bytes ?? 0
      if (kept !== undefined && kept.leavesAt <= leftBytes) giveBackAll(kept.first, kept.rest)
      this.#acknowledged++
    }
    if (this.#head === this.#batches.length) {
      this.#batches.length = 0
      this.#head = 0
    } else if (this.#head >= 1024) {
      this.#batches = this.#batches.slice(this.#head)
      this.#head = 0
    }
    return true
  }

  /** The kept batch with this sequence number, or undefined when it is acknowledged or not sent yet. */
  at(seq: number): KeptBatch | undefined {
    return seq < this.#acknowledged ? undefined : this.#batches[this.#head + (seq - this.#acknowledged)]
  }

  clear(): void {
    this.#acknowledged = this.nextSeq
    this.#batches.length = 0
    this.#head = 0
    this.#bytes = 0
  }
}
