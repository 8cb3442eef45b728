/**
 * Notices a stall: the other end owes an answer and none comes, although no carrier says that it is dead. It looks now and
 * then, and costs the path of the bytes nothing.
 */
import type { Clock } from '../clock.ts'

/** What a session tells of its answers, or all sessions of an end together. */
export interface Answers {
  /** One is due. */
  readonly awaiting: boolean
  /** Changes with every one that comes. */
  readonly answers: number
  /** How long the latest ping took. */
  readonly roundTripMs?: number | undefined
}

export interface StallOptions {
  readonly clock: Clock
  /** Asked now and then. */
  readonly look: () => Answers | undefined
  /** No answer for `silentMs`. Called again each time the silence has become twice as long. */
  readonly stalled: (silentMs: number) => void
  /** An answer came after all. */
  readonly recovered: () => void
}

const LOOK_EVERY_MS = 500
/** A peer that answers is never this late without reason (docs/protocol.md, "Stall"). */
const LEAST_MS = 4_000
const ROUND_TRIPS = 6

export class Stall {
  readonly #options: StallOptions
  #state: 'calm' | 'stalled' = 'calm'
  /** An answer has been due since then. */
  #since: number | undefined
  #answers = 0
  /**
   * The silence at which it is told, as a multiple of the shortest. It doubles until an answer comes, also over new
   * carriers: on a link so slow that one batch takes longer than this, every carrier would be given up before it has
   * delivered anything.
   */
  #patience = 1
  #cancel: () => void = () => {}

  constructor(options: StallOptions) {
    this.#options = options
  }

  /** How long an answer has been awaited in vain; 0 when none is due. */
  get silentMs(): number {
    return this.#since === undefined ? 0 : this.#options.clock.now() - this.#since
  }

  /** True from a call of `stalled` until the next answer, or `forget`. */
  get isStalled(): boolean {
    return this.#state === 'stalled'
  }

  start(): void {
    this.#cancel()
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, this.#look)
  }

  stop(): void {
    this.#cancel()
  }

  /** There is no carrier, or a new one: nothing is due yet. */
  forget(): void {
    this.#since = undefined
    this.#state = 'calm'
  }

  readonly #look = (): void => {
    this.start()
    const { clock, look, stalled } = this.#options
    const { awaiting = false, answers = 0, roundTripMs = 0 } = look() ?? {}
    if (answers !== this.#answers) this.#answered(answers)
    if (!awaiting) this.#since = undefined
    else this.#since ??= clock.now()
    const limitMs = Math.max(LEAST_MS, ROUND_TRIPS * roundTripMs)
    if (this.silentMs < limitMs * this.#patience) return
    this.#patience *= 2
    this.#state = 'stalled'
    stalled(this.silentMs)
  }

  #answered(answers: number): void {
    const wasStalled = this.isStalled
    this.#answers = answers
    this.#patience = 1
    this.forget()
    if (wasStalled) this.#options.recovered()
  }
}
