/**
 * An end's side of one hop: the greeting with the gateway, and the routes of all sessions that ride on this carrier.
 * Connect opens routes; an agent is offered them, by an ATTACH on a route that it does not know yet.
 */
import { type Carrier, type CarrierEnd, HIGH_WATER_BYTES } from '../carrier/carrier.ts'
import { type Clock, delay } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import { checkHeader, decodeJson, encodeJson, HOP_ROUTE, Kind, kindOf, routeOf, violation } from '../wire/message.ts'
import type { Route, RouteHandler } from './route.ts'

export interface Hello {
  readonly role: 'connect' | 'agent'
  readonly software: string
  /** Agent: tells this process from others with the same name. */
  readonly instance?: string
  /** Agent: processes of one name that have the same group share the new sessions. */
  readonly group?: string
  /** Agent: takes no new sessions; it comes for those that it holds. */
  readonly draining?: boolean
}

/** Why the gateway asks an end to leave: it shuts down itself, or the end's token ends soon. */
export type DrainReason = 'drain' | 'expiry'

export interface LinkOptions {
  readonly clock: Clock
  /** Fields of HELLO. */
  readonly hello: Hello
  /** Agent: an ATTACH on an unknown route. The callee may take it with `link.route`, or answer with `send`. */
  readonly onAttach?: (link: Link, route: number, message: Buffer) => void
  /** A later WELCOME. */
  readonly onNews?: (news: Welcome) => void
  /** The gateway asks to leave, in `afterMs`. */
  readonly onDrain?: (link: Link, afterMs: number, reason: DrainReason) => void
  /** From the first byte to WELCOME. */
  readonly greetingTimeoutMs?: number
  /** Gives up while WELCOME has not come. */
  readonly signal?: AbortSignal
}

export type Welcome = Readonly<Record<string, unknown>>

const GREETING_TIMEOUT_MS = 10_000
/** A timer that is asked for more than this fires at once. */
const LONGEST_MS = 2 ** 31 - 1
const GOING_AWAY = 1001

export class Link {
  /** Resolves with the reason once the carrier has ended. Never rejects. */
  readonly ended: Promise<TunnelError>
  readonly #carrier: Carrier
  readonly #options: LinkOptions
  readonly #routes = new Map<number, RouteHandler>()
  /** Routes that wait for the carrier, in the order in which they will be served. */
  readonly #thirsty = new Set<number>()
  #nextRoute = 1
  #closeWhenIdle: () => void = () => {}
  #endedWith: TunnelError | undefined
  #onEnded: ((error: TunnelError) => void) | undefined
  #welcome: Welcome | undefined
  #greeted: (welcome: Welcome) => void = () => {}
  #resolveEnded: (error: TunnelError) => void = () => {}

  private constructor(carrier: Carrier, options: LinkOptions) {
    this.#carrier = carrier
    this.#options = options
    this.ended = new Promise(resolve => {
      this.#resolveEnded = resolve
    })
  }

  /**
   * Greets the gateway. Resolves once it has answered with WELCOME; on any failure the carrier is ended.
   * @throws TunnelError why the gateway closed, or IDLE when it does not answer in time
   */
  static async greet(carrier: Carrier, options: LinkOptions): Promise<Link> {
    const link = new Link(carrier, options)
    const welcomed = new Promise<Welcome>(resolve => {
      link.#greeted = resolve
    })
    const timeoutMs = options.greetingTimeoutMs ?? GREETING_TIMEOUT_MS
    const giveUp = (error: TunnelError) => {
      carrier.close(error.close, error.message)
      link.#finish(error)
    }
    const cancel = options.clock.after(timeoutMs, () =>
      giveUp(new TunnelError('IDLE', `the gateway did not greet within ${timeoutMs / 1000} s`)),
    )
    const aborted = () => giveUp(new TunnelError('GONE', 'the dial was given up'))
    options.signal?.addEventListener('abort', aborted, { once: true })
    carrier.start({
      message: (message, rest) => link.#message(message, rest),
      drain: () => link.#drain(),
      closed: end => link.#closed(end),
    })
    carrier.send(encodeJson(Kind.HELLO, options.hello))
    if (options.signal?.aborted) aborted()
    try {
      const first = await Promise.race([welcomed, link.ended])
      if (first instanceof TunnelError) throw first
      return link
    } finally {
      cancel()
      options.signal?.removeEventListener('abort', aborted)
    }
  }

  /** Calls `ended` once, in the moment in which the carrier ends, after every route was told; at once if it has ended. */
  onEnded(ended: (error: TunnelError) => void): void {
    if (this.#endedWith !== undefined) ended(this.#endedWith)
    else this.#onEnded = ended
  }

  /** What the gateway said of itself; untrusted. */
  get welcome(): Welcome {
    return this.#welcome ?? {}
  }

  /** What it calls itself, for logs and terminals; empty if that is no text. */
  get software(): string {
    const { software } = this.welcome
    return typeof software === 'string' ? software : ''
  }

  /** Round-trip time of this hop alone. */
  get heartbeatMs(): number | undefined {
    return this.#carrier.heartbeatMs
  }

  /** Resolves with whether the gateway answers a heartbeat within `withinMs` from now; early when `signal` aborts. */
  async answers(withinMs: number, signal: AbortSignal): Promise<boolean> {
    const { pongs } = this.#carrier
    this.#carrier.probe()
    await delay(this.#options.clock, withinMs, signal)
    return this.#carrier.pongs > pongs
  }

  /** A new route of this end's choosing. Ids are not used twice on one carrier, so a late message finds no taker. */
  openRoute(handler: RouteHandler): Route {
    return this.route(this.#nextRoute++, handler)
  }

  /**
   * The route with this id, which the gateway has chosen. A handler it had before is forgotten. On a carrier that has ended
   * the route is lost in the next turn.
   */
  route(id: number, handler: RouteHandler): Route {
    this.#routes.set(id, handler)
    const ended = this.#endedWith
    if (ended !== undefined) this.#options.clock.defer(() => this.#lose(ended))
    const carrier = this.#carrier
    return {
      id,
      get bufferedBytes() {
        return carrier.bufferedBytes
      },
      get sentBytes() {
        return carrier.sentBytes
      },
      send: (message, rest) => {
        if (this.#routes.get(id) === handler) carrier.send(message, rest)
      },
      wantDrain: () => {
        if (this.#routes.get(id) === handler) this.#thirsty.add(id)
      },
      close: () => {
        if (this.#routes.get(id) !== handler) return
        this.#routes.delete(id)
        this.#thirsty.delete(id)
        this.#closeWhenIdle()
      },
    }
  }

  /** Asks the gateway for no more sessions. Those that ride on this carrier stay, and may come back over another. */
  drain(): void {
    this.#carrier.send(encodeJson(Kind.DRAIN, {}))
  }

  /** Closes as soon as no route is left. */
  closeWhenIdle(reason: string): void {
    this.#closeWhenIdle = () => {
      if (this.#routes.size === 0) this.close(reason)
    }
    this.#closeWhenIdle()
  }

  /** Sends one message that belongs to no session here, such as the refusal of an ATTACH. */
  send(message: Buffer): void {
    this.#carrier.send(message)
  }

  close(reason: string): void {
    this.#carrier.close(GOING_AWAY, reason)
  }

  terminate(): void {
    this.#carrier.terminate()
  }

  #message(message: Buffer, rest: readonly Buffer[]): void {
    try {
      checkHeader(message)
      const route = routeOf(message)
      if (route === HOP_ROUTE) return this.#hop(message)
      const handler = this.#routes.get(route)
      if (handler !== undefined) handler.message(message, rest)
      else if (kindOf(message) === Kind.ATTACH) this.#options.onAttach?.(this, route, message)
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#carrier.close(error.close, error.message)
    }
  }

  #hop(message: Buffer): void {
    switch (kindOf(message)) {
      case Kind.WELCOME: {
        const known = this.#welcome !== undefined
        this.#welcome = decodeJson(message)
        return known ? this.#options.onNews?.(this.#welcome) : this.#greeted(this.#welcome)
      }
      case Kind.DRAIN: {
        const { afterMs, why } = decodeJson(message)
        const delayMs = typeof afterMs === 'number' && afterMs >= 0 ? Math.min(afterMs, LONGEST_MS) : 0
        return this.#options.onDrain?.(this, delayMs, why === 'expiry' ? why : 'drain')
      }
      default:
        throw violation(`message kind ${kindOf(message)} on the hop's route`)
    }
  }

  #drain(): void {
    // Each is served once; who still has data asks again and goes to the back.
    for (const id of [...this.#thirsty]) {
      if (this.#carrier.bufferedBytes >= HIGH_WATER_BYTES) return
      this.#thirsty.delete(id)
      this.#routes.get(id)?.drain()
    }
  }

  #closed(end: CarrierEnd): void {
    this.#finish(TunnelError.fromClose(end.code, end.reason))
  }

  #finish(error: TunnelError): void {
    if (this.#endedWith !== undefined) return
    this.#endedWith = error
    this.#lose(error)
    this.#onEnded?.(error)
    this.#resolveEnded(error)
  }

  #lose(error: TunnelError): void {
    const handlers = [...this.#routes.values()]
    this.#routes.clear()
    this.#thirsty.clear()
    for (const handler of handlers) handler.lost(error)
  }
}
