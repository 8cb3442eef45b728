/** What both directions of one upgraded WebSocket tell about it: how much was said, how long answers took, and who closed it. */
import { Opcode } from '../../carrier/framing.ts'
import type { Frame, Side } from './frame.ts'
import { FrameTap, type FrameTotals } from './frame-tap.ts'
import { RoundTrips, type RoundTripTimes } from './round-trips.ts'

export interface UpgradeTapOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Called for each frame in the moment in which `FrameTap` reports it. Must not throw. */
  readonly log?: ((frame: Frame, from: Side) => void) | undefined
}

export interface DirectionSummary extends FrameTotals {
  /** `text` and `binary` together. */
  readonly messages: number
  /** The last CLOSE that this side sent. The reason is data from the wire: who shows it escapes it (observe/escape.ts). */
  readonly close: { readonly code: number; readonly reason: string } | undefined
  /** Of the pings that this side sent; `undefined` when none was answered. */
  readonly roundTrips: RoundTripTimes | undefined
  /** The violation after which nothing of this direction was read, a fixed text: all else is as of before it. */
  readonly broken: string | undefined
}

export interface UpgradeSummary {
  readonly client: DirectionSummary
  readonly service: DirectionSummary
  /** The side whose CLOSE passed first; the other's is the answer (RFC 6455, 5.5.1). */
  readonly closedBy: Side | undefined
}

/**
 * Feed each direction to its tap, from the first byte after the handshake on, that of the `head` of Node's `upgrade` event
 * too. The taps neither throw nor keep what they read.
 */
export class UpgradeTap {
  readonly client: FrameTap
  readonly service: FrameTap
  readonly #now: () => number
  readonly #log: ((frame: Frame, from: Side) => void) | undefined
  readonly #roundTrips: Readonly<Record<Side, RoundTrips>> = { client: new RoundTrips(), service: new RoundTrips() }
  readonly #closes: Record<Side, DirectionSummary['close']> = { client: undefined, service: undefined }
  #closedBy: Side | undefined

  constructor({ now, log }: UpgradeTapOptions) {
    this.#now = now
    this.#log = log
    this.client = this.#tap('client')
    this.service = this.#tap('service')
  }

  /** As of now; for the access log, when the connection has ended. */
  summary(): UpgradeSummary {
    return { client: this.#direction('client'), service: this.#direction('service'), closedBy: this.#closedBy }
  }

  #tap(from: Side): FrameTap {
    return new FrameTap({ from, report: frame => this.#seen(frame, from), reportData: this.#log !== undefined })
  }

  #seen(frame: Frame, from: Side): void {
    switch (frame.opcode) {
      case Opcode.PING:
        this.#roundTrips[from].pinged(frame.payload, this.#now())
        break
      case Opcode.PONG:
        this.#roundTrips[from === 'client' ? 'service' : 'client'].ponged(frame.payload, this.#now())
        break
      case Opcode.CLOSE:
        this.#closes[from] = { code: frame.code, reason: frame.reason }
        this.#closedBy ??= from
    }
    this.#log?.(frame, from)
  }

  #direction(from: Side): DirectionSummary {
    const { totals, broken } = this[from]
    return {
      ...totals,
      messages: totals.text + totals.binary,
      close: this.#closes[from],
      roundTrips: this.#roundTrips[from].times,
      broken,
    }
  }
}
