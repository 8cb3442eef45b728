/**
 * Streams that came to nothing: refused, denied, or given up before the service answered. Each costs a dial and a line of the log,
 * and whoever makes them fast enough keeps an agent busy with nothing else (CVE-2023-44487, CVE-2025-8671).
 */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Bucket } from '../net/bucket.ts'

const BURST = 2
const MAX_SUBJECTS = 1_024

/** One for all: making an error, with its stack, and a line of the log, is most of what such a stream costs. */
export const TOO_VAIN = new TunnelError('LIMIT', 'too many connections came to nothing in a short time', {
  hint: 'wait a moment, and look at what opens connections to something that does not answer',
})

/** While `paid`, each stream costs a token when it is opened; otherwise when it has come to nothing. */
interface Account {
  readonly bucket: Bucket
  state: 'free' | 'paid'
}

export class VainStreams {
  readonly #clock: Pick<Clock, 'now'>
  readonly #perSecond: number
  /** A subject without one is free, with a full bucket. */
  readonly #accounts = new Map<string, Account>()

  constructor(clock: Pick<Clock, 'now'>, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
  }

  /** Another stream of `subject` came to nothing. */
  add(subject: string): void {
    const now = this.#clock.now()
    const account = this.#accounts.get(subject) ?? this.#newAccount(subject, now)
    if (account.state === 'free' && !account.bucket.take(now)) account.state = 'paid'
  }

  /**
   * To be asked before a stream is served.
   * @throws TOO_VAIN while too many of the subject's come to nothing
   */
  check(subject: string): void {
    const account = this.#accounts.get(subject)
    if (account === undefined || account.state === 'free') return
    const now = this.#clock.now()
    if (!account.bucket.take(now)) throw TOO_VAIN
    if (account.bucket.tokens > (BURST * this.#perSecond) / 2) account.state = 'free'
  }

  #newAccount(subject: string, now: number): Account {
    if (this.#accounts.size >= MAX_SUBJECTS) {
      for (const [known, { bucket }] of this.#accounts) if (bucket.isFull(now)) this.#accounts.delete(known)
    }
    const account: Account = { bucket: new Bucket(this.#perSecond, BURST * this.#perSecond, now), state: 'free' }
    this.#accounts.set(subject, account)
    return account
  }
}
