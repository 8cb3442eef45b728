/** Two sessions joined by routes over a carrier in memory, without a gateway between them. */
import type { Carrier } from '../../src/carrier/carrier.ts'
import { type MemoryLink, memoryLink } from '../../src/carrier/memory.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Route, RouteHandler } from '../../src/mux/route.ts'
import { Session } from '../../src/mux/session.ts'
import type { SessionOptions } from '../../src/mux/session-options.ts'
import type { Stream } from '../../src/mux/stream.ts'
import type { Open } from '../../src/wire/frame.ts'
import { VirtualClock } from './clock.ts'

export interface PairOptions {
  readonly latencyMs?: number
  readonly initiator?: Partial<SessionOptions>
  readonly acceptor?: Partial<SessionOptions>
  /** Default: every stream is accepted at once. */
  readonly onOpen?: (stream: Stream, open: Open) => void
}

export class Pair {
  readonly clock = new VirtualClock()
  readonly initiator: Session
  readonly acceptor: Session
  /** Streams that the acceptor was given, in order. */
  readonly opened: Stream[] = []
  /** Every message that crossed, by its sender. */
  readonly sent: { readonly by: 'initiator' | 'acceptor'; readonly message: Buffer }[] = []
  carriers: MemoryLink
  readonly #latencyMs: number

  constructor(options: PairOptions = {}) {
    const { clock } = this
    this.#latencyMs = options.latencyMs ?? 0
    this.initiator = new Session({ side: 'initiator', clock, ...options.initiator })
    this.acceptor = new Session({
      side: 'acceptor',
      clock,
      onOpen: (stream, open) => {
        this.opened.push(stream)
        if (options.onOpen === undefined) stream.accept(8080)
        else options.onOpen(stream, open)
      },
      ...options.acceptor,
    })
    this.carriers = this.join()
  }

  /** Joins the two over a new carrier, as ATTACH and ATTACHED would. */
  join(): MemoryLink {
    const carriers = memoryLink({ clock: this.clock, latencyMs: this.#latencyMs })
    this.carriers = carriers
    const { expected: initiatorExpects } = this.initiator
    const near = this.#route(carriers.a, this.initiator, 'initiator')
    const far = this.#route(carriers.b, this.acceptor, 'acceptor')
    this.initiator.attach(near, this.acceptor.expected, this.acceptor.limits.maxInflightBytes)
    this.acceptor.attach(far, initiatorExpects, this.initiator.limits.maxInflightBytes)
    return carriers
  }

  /** A stream, and the same stream at the other end. */
  async open(): Promise<{ near: Stream; far: Stream }> {
    const near = this.initiator.open({})
    await this.clock.advance(1 + 10 * this.#latencyMs)
    const far = this.opened.at(-1)
    if (far === undefined) throw new Error('the acceptor was not asked')
    return { near, far }
  }

  #route(carrier: Carrier, session: Session, by: 'initiator' | 'acceptor'): Route {
    let handler: RouteHandler | undefined = session
    carrier.start({
      message: (message, rest) => handler?.message(message, rest),
      drain: () => handler?.drain(),
      closed: () => handler?.lost(new TunnelError('ROUTE_LOST', 'the carrier is gone')),
    })
    return {
      id: 1,
      get bufferedBytes() {
        return carrier.bufferedBytes
      },
      get sentBytes() {
        return carrier.sentBytes
      },
      send: (message, rest = []) => {
        this.sent.push({ by, message: Buffer.concat([message, ...rest]) })
        carrier.send(message, rest)
      },
      wantDrain: () => {},
      close: () => {
        handler = undefined
      },
    }
  }
}
