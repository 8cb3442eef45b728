/** What each subject takes of the gateway: carriers, comings, and work. */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Bucket } from '../net/bucket.ts'
import type { GatewayLimits } from './limits.ts'
import { Pace } from './pace.ts'
import type { Principal } from './principal.ts'

type ShareLimits = Pick<GatewayLimits, 'carriersPerSubject' | 'comingsPerSecond' | 'workPerSecond'>

interface Share {
  carriers: number
  readonly comings: Bucket
  readonly pace: Pace
}

export class Shares {
  readonly #clock: Clock
  readonly #limits: ShareLimits
  readonly #shares = new Map<string, Share>()

  constructor(clock: Clock, limits: ShareLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /**
   * To be asked before a carrier of `principal` is taken in.
   * @throws TunnelError LIMIT when it has as many as it may, or comes too often
   */
  admit(principal: Principal): void {
    const { carriers, comings } = this.#of(principal)
    if (carriers >= this.#limits.carriersPerSubject)
      throw new TunnelError('LIMIT', `${carriers} carriers of ${principal.subject} are connected already`)
    if (!comings.take(this.#clock.now()))
      throw new TunnelError('LIMIT', `${principal.subject} comes too often: wait a moment`)
  }

  /** A carrier of `principal` is here. Call `left` once, when it has ended. */
  came(principal: Principal): { readonly pace: Pace; readonly left: () => void } {
    const share = this.#of(principal)
    share.carriers++
    const left = () => {
      share.carriers--
    }
    return { pace: share.pace, left }
  }

  /** Forgets those of whom there is nothing left to remember. */
  sweep(): void {
    for (const [key, { carriers, comings, pace }] of this.#shares) {
      if (carriers === 0 && comings.isFull(this.#clock.now()) && pace.isIdle) this.#shares.delete(key)
    }
  }

  #of({ role, subject }: Principal): Share {
    const key = `${role} ${subject}`
    const known = this.#shares.get(key)
    if (known !== undefined) return known
    const { carriersPerSubject, comingsPerSecond, workPerSecond } = this.#limits
    const now = this.#clock.now()
    const share = {
      carriers: 0,
      // As many as it may have can come back at once, twice.
      comings: new Bucket(comingsPerSecond, 2 * carriersPerSubject, now),
      pace: new Pace(this.#clock, workPerSecond),
    }
    this.#shares.set(key, share)
    return share
  }
}
