/** How much one carrier may ask of the gateway beside the bytes that it moves (docs/security.md, "Limits"). */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Bucket } from '../net/bucket.ts'
import type { Role } from '../net/claims.ts'
import type { GatewayLimits } from './limits.ts'

/** They come with every few batches, and the clock is not asked for each. */
const CONTROLS_AT_ONCE = 256
/** An agent carries what many clients cause. */
const AGENT_SHARE = 10
const DENIED_BURST = 5

export class Pace {
  readonly #clock: Pick<Clock, 'now'>
  readonly #opens: Bucket
  readonly #denied: Bucket
  readonly #controls: Bucket
  #uncounted = 0

  constructor(clock: Pick<Clock, 'now'>, role: Role, limits: GatewayLimits) {
    const { opensPerSecond: opens, deniedPerSecond: denied } = limits
    const controls = limits.controlsPerSecond * (role === 'agent' ? AGENT_SHARE : 1)
    const now = clock.now()
    this.#clock = clock
    this.#opens = new Bucket(opens, 2 * opens, now)
    this.#denied = new Bucket(denied, DENIED_BURST * denied, now)
    this.#controls = new Bucket(controls, 2 * controls, now)
  }

  /**
   * A message without data.
   * @param weight for one that is more work than to pass it on
   * @throws TunnelError LIMIT
   */
  control(weight = 1): void {
    this.#uncounted += weight
    if (this.#uncounted < CONTROLS_AT_ONCE) return
    if (!this.#controls.take(this.#clock.now(), this.#uncounted)) throw tooFast('messages without data')
    this.#uncounted = 0
  }

  /** @throws TunnelError LIMIT */
  open(allowed: boolean): void {
    const now = this.#clock.now()
    if (!this.#opens.take(now)) throw tooFast('connections')
    if (!allowed && !this.#denied.take(now)) throw tooFast('connections that are denied')
  }
}

const tooFast = (what: string): TunnelError => new TunnelError('LIMIT', `too many ${what} in a short time`)
