/**
 * The link that an end uses, and how it comes to another one. It says when a successor is wanted although the present one
 * may still serve; the role dials it, takes it over in its own way, and adopts it.
 */
import type { Carrier } from '../carrier/carrier.ts'
import { watchWake } from '../carrier/wake.ts'
import type { Clock } from '../clock.ts'
import type { TunnelError } from '../errors.ts'
import { type DrainReason, Link, type LinkOptions } from './link.ts'

/** Why a link is left while it may still serve. */
export type MoveReason = 'asked' | 'schedule' | DrainReason | 'sleep' | 'stall'

export interface LinksOptions {
  /** Opens a carrier to the gateway; the token is read again for each dial. */
  readonly dialGateway: (signal: AbortSignal) => Promise<Carrier>
  readonly clock: Clock
  /** Milliseconds since 1970: tells a sleep of this machine. */
  readonly wallNow: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** A healthy link is replaced after this long, or up to a tenth before. Absent: never. */
  readonly redialEveryMs?: number
  readonly hello: () => LinkOptions['hello']
  readonly onAttach?: LinkOptions['onAttach']
  readonly onNews?: LinkOptions['onNews']
  /** A successor is wanted now. */
  readonly move: (reason: MoveReason) => void
  /** The link in use has ended; there is none until the next is adopted. */
  readonly ended: (error: TunnelError) => void
}

export class Links {
  readonly #options: LinksOptions
  /** Of each link that was asked to leave and is here still: what takes that back. */
  readonly #leaving = new Map<Link, () => void>()
  #closed = false
  #current: Link | undefined
  #stopWatching: () => void = () => {}

  constructor(options: LinksOptions) {
    this.#options = options
  }

  /** The link in use, while it lives. */
  get current(): Link | undefined {
    return this.#current
  }

  /** Watches for a sleep from now on, until `close`. */
  start(): void {
    const { clock, wallNow, move } = this.#options
    this.#stopWatching = watchWake({ clock, wallNow, woken: () => move('sleep') })
  }

  /**
   * A new carrier, greeted. Nobody else holds the link: adopt it or close it.
   * @throws TunnelError why there is none
   */
  async dial(signal: AbortSignal): Promise<Link> {
    const { clock, dialGateway, hello, onAttach, onNews } = this.#options
    return await Link.greet(await dialGateway(signal), {
      clock,
      hello: hello(),
      signal,
      ...(onAttach && { onAttach }),
      ...(onNews && { onNews }),
      onDrain: (link, afterMs, reason) => this.#leave(link, afterMs, reason),
    })
  }

  /** From now on `link` is the one in use. Returns the one that was, if it still lives: the caller closes it. */
  adopt(link: Link): Link | undefined {
    const old = this.#current
    if (old === link) return undefined
    this.#current = link
    const { clock, random, redialEveryMs, move, ended } = this.#options
    const cancel =
      redialEveryMs === undefined
        ? () => {}
        : clock.after(redialEveryMs * (1 - random() / 10), () => {
            if (this.#current === link) move('schedule')
          })
    link.onEnded(error => {
      cancel()
      if (this.#current !== link) return
      this.#current = undefined
      ended(error)
    })
    return old
  }

  /** `link` was dialled for nothing: it is the one in use if there is no other, or else closed. */
  keep(link: Link): void {
    if (this.#current === undefined) this.adopt(link)
    else if (this.#current !== link) link.close('another carrier serves already')
  }

  /** Ends the link in use, and forgets what was planned. */
  close(reason: string): void {
    this.#stopWatching()
    this.#closed = true
    for (const link of [...this.#leaving.keys()]) this.#forget(link)
    this.#current?.close(reason)
  }

  /** The gateway tells each end another time, so that they do not all come back at once. */
  #leave(link: Link, afterMs: number, reason: DrainReason): void {
    if (this.#closed) return
    const cancel = this.#leaving.get(link)
    if (cancel === undefined) void link.ended.then(() => this.#forget(link))
    else cancel()
    const { clock, move } = this.#options
    const leave = () => {
      if (this.#current === link) move(reason)
    }
    this.#leaving.set(link, clock.after(afterMs, leave))
  }

  #forget(link: Link): void {
    this.#leaving.get(link)?.()
    this.#leaving.delete(link)
  }
}
