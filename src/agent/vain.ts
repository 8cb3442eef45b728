/**
 * Streams that came to nothing: refused, denied, or given up before the service answered. Each costs a dial and a line of the log,
 * and whoever makes them fast enough keeps an agent busy with nothing else (CVE-2023-44487, CVE-2025-8671).
 */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Bucket } from '../net/bucket.ts'

const BURST = 5
const MAX_SUBJECTS = 1_024

export class VainStreams {
  readonly #clock: Pick<Clock, 'now'>
  readonly #perSecond: number
  /** A subject without one has a full one. */
  readonly #buckets = new Map<string, { readonly bucket: Bucket; spent: boolean }>()

  constructor(clock: Pick<Clock, 'now'>, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
  }

  /** Another stream of `subject` came to nothing. */
  add(subject: string): void {
    const now = this.#clock.now()
    const known = this.#buckets.get(subject)
    if (known === undefined) this.#prune(now)
    const entry = known ?? { bucket: new Bucket(this.#perSecond, BURST * this.#perSecond, now), spent: false }
    this.#buckets.set(subject, entry)
    entry.spent = !entry.bucket.take(now)
  }

  /**
   * To be asked before a stream is served.
   * @throws TunnelError LIMIT while too many of the subject's come to nothing
   */
  check(subject: string): void {
    const entry = this.#buckets.get(subject)
    if (entry?.spent !== true) return
    // Whoever is refused here has cost nothing; the next one may try as soon as the bucket has something again.
    if (entry.bucket.take(this.#clock.now())) entry.spent = false
    else throw new TunnelError('LIMIT', 'too many connections came to nothing in a short time', { hint: WAIT })
  }

  #prune(now: number): void {
    if (this.#buckets.size < MAX_SUBJECTS) return
    for (const [subject, { bucket }] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(subject)
  }
}

const WAIT = 'wait a moment, and look at what opens connections to something that does not answer'
