/** The streams of one forward: how many, how much went through them, and what became of each. */
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import type { ConnectSink, ForwardSnapshot, StreamSnapshot } from './events.ts'

export type Figures = Omit<ForwardSnapshot, 'local' | 'target'>

export class Account {
  readonly #sink: ConnectSink
  readonly #clock: Clock
  readonly #streams = new Map<Stream, { readonly target: string; readonly since: number }>()
  #streamsTotal = 0
  /** Of streams that have ended. */
  #bytesUp = 0
  #bytesDown = 0
  /** What is cut from now on is cut by this end itself, and no news. */
  #closing = false
  #openMs: number | undefined

  constructor(sink: ConnectSink, clock: Clock) {
    this.#sink = sink
    this.#clock = clock
  }

  get figures(): Figures {
    let bytesUp = this.#bytesUp
    let bytesDown = this.#bytesDown
    for (const stream of this.#streams.keys()) {
      bytesUp += stream.bytesSent
      bytesDown += stream.bytesReceived
    }
    const opened = this.#openMs === undefined ? {} : { openMs: this.#openMs }
    return { streamsOpen: this.#streams.size, streamsTotal: this.#streamsTotal, bytesUp, bytesDown, ...opened }
  }

  /** Those that are open, in the order in which they were opened. */
  streams(): StreamSnapshot[] {
    const now = this.#clock.now()
    return Array.from(this.#streams, ([{ id, bytesSent, bytesReceived }, { target, since }]) => ({
      id,
      target,
      ageMs: now - since,
      bytesUp: bytesSent,
      bytesDown: bytesReceived,
    }))
  }

  /** Counts a stream that was just opened, and reports its events. */
  track(stream: Stream, target: string): void {
    const since = this.#clock.now()
    this.#streams.set(stream, { target, since })
    this.#streamsTotal++
    stream.once('opened', () => {
      this.#openMs = this.#clock.now() - since
      this.#sink.event({ event: 'open', stream: stream.id, target })
    })
    let failure: TunnelError | undefined
    stream.once('error', error => {
      failure = asTunnelError(error)
    })
    stream.once('close', () => {
      this.#streams.delete(stream)
      this.#bytesUp += stream.bytesSent
      this.#bytesDown += stream.bytesReceived
      this.#ended(stream, target, failure, this.#clock.now() - since)
    })
  }

  /** Resets what is still open. */
  close(): void {
    this.#closing = true
    for (const stream of [...this.#streams.keys()]) stream.reset(new TunnelError('SESSION_CLOSED', 'connect has ended'))
  }

  /** A local client that goes away is no error of the forward's; what the other end says is. */
  #ended(stream: Stream, target: string, failure: TunnelError | undefined, ms: number): void {
    const { id, bytesSent, bytesReceived } = stream
    if (failure !== undefined && failure.code !== 'PEER_RESET' && !this.#closing) {
      const { code, message, hint } = failure
      this.#sink.event({ event: 'error', code, message, hint, stream: id, target })
    }
    this.#sink.event({
      event: 'close',
      stream: id,
      target,
      bytesUp: bytesSent,
      bytesDown: bytesReceived,
      ms: Math.round(ms),
      code: failure?.code ?? 'OK',
    })
  }
}
