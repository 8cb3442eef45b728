/**
 * The connections to services: each is a stream of the tunnel, and never a socket of the gateway's own. One that has carried a
 * request may carry another to the same target, if that may be asked twice: the service may close it at that very moment, and only
 * what changes nothing can then be asked again.
 */
import { Agent, type ClientRequest, type RequestOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../clock.ts'
import type { Stream } from '../../mux/stream.ts'
import { formatTarget, type Target } from '../../net/target.ts'

/** What `http.request` hands on to the agent beside its own options. */
export interface ServiceOptions {
  readonly service: {
    readonly agent: string
    readonly target: Target
    /** Read only when a new stream is opened: it may be made then. */
    readonly signal: AbortSignal
  }
  /** A new stream was opened for it. */
  readonly connected: () => void
}

/** All of what `http.request` takes. */
export type ServiceRequest = RequestOptions & ServiceOptions

type Open = (agent: string, target: Target, signal: AbortSignal) => Promise<Stream>
type Created = (error: Error | null, stream?: Duplex) => void

/** Idle streams to one target that are kept for others. */
const MAX_IDLE = 64
/** Less than the 5 s after which a server on Node closes an idle connection. */
const IDLE_MS = 4_000

export class Connections extends Agent {
  readonly #open: Open
  readonly #clock: Clock
  /** Of those that wait: what ends the waiting. */
  readonly #idle = new WeakMap<Duplex, () => void>()

  /** @param keep whether a stream may carry more than one request */
  constructor(open: Open, clock: Clock, keep: boolean) {
    super({ keepAlive: keep, maxFreeSockets: MAX_IDLE })
    this.#open = open
    this.#clock = clock
  }

  /** Not by the host: nothing here is ever looked up. */
  override getName(options?: unknown): string {
    const { service } = options as ServiceOptions
    return `${service.agent} ${formatTarget(service.target)}`
  }

  override createConnection(options: unknown, created?: unknown): undefined {
    const { service, connected } = options as ServiceOptions
    const done = created as Created
    this.#open(service.agent, service.target, service.signal).then(
      stream => {
        connected()
        done(null, Object.assign(stream, likeSocket))
      },
      (thrown: Error) => done(thrown),
    )
    return undefined
  }

  /** Called by Node when an answer has ended. */
  override keepSocketAlive(stream: Duplex): boolean {
    if (stream.readableLength > 0 || stream.readableEnded || stream.destroyed) return false
    const drop = (): void => void stream.destroy()
    const cancel = this.#clock.after(IDLE_MS, drop)
    // What comes before anybody has asked is the answer to no question.
    stream.on('data', drop)
    // A service that has ended its half answers nothing any more, and may well take what it is asked.
    stream.on('end', drop)
    stream.once('close', cancel)
    this.#idle.set(stream, () => {
      cancel()
      stream.off('data', drop)
      stream.off('end', drop)
      stream.off('close', cancel)
    })
    return true
  }

  /** Called by Node when it is used again. */
  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    this.#idle.get(stream)?.()
    // Node has listened to it while it waited, and only Node can take that back.
    super.reuseSocket(stream, request)
  }
}

/** What Node asks of a socket that is used again, and a stream does not have: nothing waits for the end of the process here. */
const likeSocket = { ref() {} }
