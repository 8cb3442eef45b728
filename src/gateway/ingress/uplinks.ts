/**
 * The ingress's own ways to the agents: one session each, through the relay of this gateway, as a client of its own. So what
 * holds for clients holds here: every OPEN is decided, and streams outlive the carrier of an agent.
 */
import type { Carrier } from '../../carrier/carrier.ts'
import { memoryLink } from '../../carrier/memory.ts'
import type { Clock } from '../../clock.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'
import type { SessionMemory } from '../../mux/memory.ts'
import type { Stream } from '../../mux/stream.ts'
import type { Target } from '../../net/target.ts'
import { Uplink } from '../../uplink/uplink.ts'

export interface UplinksOptions {
  readonly clock: Clock
  readonly wallNow: () => number
  readonly random: () => number
  readonly randomBytes: (bytes: number) => Buffer
  readonly software: string
  /** Of all sessions together. */
  readonly memory: SessionMemory
  /** Takes in the far end of a carrier that never leaves this process. */
  readonly greet: (carrier: Carrier) => void
}

/** How long a stream waits for an agent that is away for a moment. */
const HOLD_MS = 5_000
/** From OPEN to the service's answer; the agent itself dials for 10 s. */
const OPEN_TIMEOUT_MS = 15_000
const PING_MS = 20_000
/** An uplink that carries nothing is given up after one to two of these. */
const IDLE_SWEEP_MS = 60_000

interface Held {
  readonly uplink: Uplink
  /** Resolves when the session is there for the first time; rejects when it does not come. */
  readonly ready: Promise<void>
  readonly end: AbortController
  idle: boolean
}

export class Uplinks {
  readonly #options: UplinksOptions
  readonly #ways = new Map<string, Held>()
  #cancelSweep: () => void = () => {}
  #closed = false

  constructor(options: UplinksOptions) {
    this.#options = options
    this.#sweepLater()
  }

  /**
   * A stream to the target, whose service has accepted. The caller ends it.
   * @throws TunnelError of the agent, or of the way to it; DIAL_TIMEOUT; GONE when `signal` aborts
   */
  async open(agent: string, target: Target, signal: AbortSignal): Promise<Stream> {
    const way = this.#ways.get(agent) ?? this.#start(agent)
    way.idle = false
    await way.ready
    if (signal.aborted) throw new TunnelError('GONE', 'the client has left')
    const stream = way.uplink.open(target)
    try {
      await this.#opened(stream, signal)
      // Its close may have come with the acceptance, and is not told again.
      if (stream.destroyed) {
        throw stream.errored ?? new TunnelError('PEER_RESET', 'the service has closed the connection at once')
      }
      return stream
    } catch (thrown) {
      stream.destroy()
      throw thrown
    }
  }

  /** Ends what is left of it all. */
  close(): void {
    this.#closed = true
    this.#cancelSweep()
    for (const { end } of this.#ways.values()) end.abort()
  }

  #start(agent: string): Held {
    if (this.#closed) throw new TunnelError('DRAINING', 'the gateway is shutting down')
    const { greet, ...options } = this.#options
    const end = new AbortController()
    let connected: () => void = () => {}
    const uplink = new Uplink({
      ...options,
      agent,
      pingIntervalMs: PING_MS,
      holdMs: HOLD_MS,
      dialGateway: async () => {
        const { a, b } = memoryLink({ clock: options.clock })
        greet(b)
        return a
      },
      events: {
        connected: () => connected(),
        resumed() {},
        moved() {},
        disconnected() {},
        notMoved() {},
        sessionLost() {},
      },
    })
    const running = uplink.run(end.signal).finally(() => {
      if (this.#ways.get(agent) === way) this.#ways.delete(agent)
    })
    const ready = new Promise<void>((resolve, reject) => {
      connected = resolve
      running.then(() => reject(new TunnelError('DRAINING', 'the gateway is shutting down')), reject)
    })
    // Whoever waits hears of it; and perhaps nobody does any more.
    ready.catch(() => {})
    const way: Held = { uplink, ready, end, idle: false }
    this.#ways.set(agent, way)
    return way
  }

  #opened(stream: Stream, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: TunnelError) => {
        cancel()
        signal.removeEventListener('abort', left)
        stream.off('opened', opened)
        stream.off('error', failed)
        stream.off('close', closed)
        if (error === undefined) resolve()
        else reject(error)
      }
      const opened = () => settle()
      const failed = (error: Error) => settle(asTunnelError(error))
      const closed = () => settle(new TunnelError('GONE', 'the stream was closed before the service answered'))
      const left = () => settle(new TunnelError('GONE', 'the client has left'))
      const cancel = this.#options.clock.after(OPEN_TIMEOUT_MS, () =>
        settle(new TunnelError('DIAL_TIMEOUT', `the agent did not answer within ${OPEN_TIMEOUT_MS / 1000} s`)),
      )
      stream.once('opened', opened)
      stream.once('error', failed)
      stream.once('close', closed)
      signal.addEventListener('abort', left, { once: true })
      if (signal.aborted) left()
    })
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#options.clock.after(IDLE_SWEEP_MS, () => {
      for (const way of this.#ways.values()) {
        const used = (way.uplink.session?.streams.size ?? 0) > 0
        if (way.idle && !used) way.end.abort()
        way.idle = !used
      }
      this.#sweepLater()
    })
  }
}
