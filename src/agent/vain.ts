/**
 * Streams that came to nothing: refused, denied, or given up before the service answered. Each costs a dial and a line of the log,
 * and whoever makes them fast enough keeps an agent busy with nothing else (CVE-2023-44487, CVE-2025-8671).
 */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Bucket } from '../net/bucket.ts'

const BURST = 2
/** So many times as many of one subject, of all its targets together. */
const SUBJECT_SHARE = 5
/** Accounts that are full are forgotten this often. */
const SWEEP_MS = 1_000

/** One for all: making an error, with its stack, and a line of the log, is most of what such a stream costs. */
export const TOO_VAIN = new TunnelError('LIMIT', 'too many connections came to nothing in a short time', {
  hint: 'wait a moment, and look at what opens connections to something that does not answer',
})

/** What a stream was let through for. */
export interface Ticket {
  readonly forTarget: 0 | 1
  readonly forSubject: 0 | 1
}

/** While `paid`, each stream costs a token when it is opened; otherwise when it has come to nothing. */
interface Account {
  readonly bucket: Bucket
  state: 'free' | 'paid'
}

export class VainStreams {
  readonly #targets: Accounts
  readonly #subjects: Accounts

  /** @param perSecond of one subject for one target */
  constructor(clock: Pick<Clock, 'now'>, perSecond: number) {
    this.#targets = new Accounts(clock, perSecond)
    this.#subjects = new Accounts(clock, SUBJECT_SHARE * perSecond)
  }

  /** Another stream came to nothing. */
  add(subject: string, target: string): void {
    this.#targets.charge(`${subject} ${target}`)
    this.#subjects.charge(subject)
  }

  /**
   * To be asked before a stream is served.
   * @throws TOO_VAIN while too many of the subject's come to nothing
   */
  check(subject: string, target: string): Ticket {
    const key = `${subject} ${target}`
    const forTarget = this.#targets.pay(key)
    if (forTarget === undefined) throw TOO_VAIN
    const forSubject = this.#subjects.pay(subject)
    if (forSubject !== undefined) return { forTarget, forSubject }
    this.#targets.giveBack(key, forTarget)
    throw TOO_VAIN
  }

  /** A stream that was let through has reached its service: it costs nothing. */
  reached(subject: string, target: string, { forTarget, forSubject }: Ticket): void {
    this.#targets.giveBack(`${subject} ${target}`, forTarget)
    this.#subjects.giveBack(subject, forSubject)
  }
}

class Accounts {
  readonly #clock: Pick<Clock, 'now'>
  readonly #perSecond: number
  /** Who has none is free, with a full bucket. */
  readonly #accounts = new Map<string, Account>()
  #sweptAt = 0

  constructor(clock: Pick<Clock, 'now'>, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
  }

  charge(key: string): void {
    const now = this.#clock.now()
    const account = this.#accounts.get(key) ?? this.#newAccount(key, now)
    if (account.state === 'free' && !account.bucket.take(now)) account.state = 'paid'
  }

  /** What was paid; undefined when there is nothing left to pay with. */
  pay(key: string): 0 | 1 | undefined {
    const account = this.#accounts.get(key)
    if (account === undefined || account.state === 'free') return 0
    return account.bucket.take(this.#clock.now()) ? 1 : undefined
  }

  giveBack(key: string, paid: 0 | 1): void {
    const account = this.#accounts.get(key)
    if (account === undefined || account.state === 'free') return
    account.bucket.give(this.#clock.now(), paid)
    if (account.bucket.tokens > (BURST * this.#perSecond) / 2) account.state = 'free'
  }

  #newAccount(key: string, now: number): Account {
    this.#sweep(now)
    const account: Account = { bucket: new Bucket(this.#perSecond, BURST * this.#perSecond, now), state: 'free' }
    this.#accounts.set(key, account)
    return account
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = now
    for (const [key, { bucket }] of this.#accounts) if (bucket.isFull(now)) this.#accounts.delete(key)
  }
}
