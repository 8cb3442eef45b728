/** The connections of one forward: each accepted socket becomes one stream to its target. */
import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { abort, splice } from '../net/splice.ts'
import { formatTarget, type Target } from '../net/target.ts'
import type { ConnectSink, ForwardSnapshot } from './events.ts'
import type { Uplink } from './uplink.ts'

export interface CarriedOptions {
  readonly uplink: Pick<Uplink, 'serves' | 'open' | 'hold'>
  readonly sink: ConnectSink
  readonly clock: Clock
}

/** What a socket is told before its stream is joined to it, by a protocol that has words for it. */
export interface Answers {
  /** The service is reached. What the socket reads before it is told was not sent by the service. */
  opened(): void
  /** It is not, or the tunnel cannot say; the callee ends the socket. */
  failed(error: TunnelError): void
}

export type CarriedFigures = Omit<ForwardSnapshot, 'local' | 'target'>

export class Carried {
  readonly #options: CarriedOptions
  readonly #streams = new Set<Stream>()
  /** Accepted while nothing served. */
  readonly #held = new Set<Socket>()
  #streamsTotal = 0
  /** Of streams that have ended. */
  #bytesUp = 0
  #bytesDown = 0
  /** What is cut from now on is cut by this end itself, and no news. */
  #closing = false

  constructor(options: CarriedOptions) {
    this.#options = options
  }

  get figures(): CarriedFigures {
    let bytesUp = this.#bytesUp
    let bytesDown = this.#bytesDown
    for (const stream of this.#streams) {
      bytesUp += stream.bytesSent
      bytesDown += stream.bytesReceived
    }
    return { streamsOpen: this.#streams.size, streamsTotal: this.#streamsTotal, bytesUp, bytesDown }
  }

  /**
   * Carries `socket`, which nobody reads, to `target`. While nothing serves, it waits unread: what is opened later belongs to
   * whatever session is there then.
   * @param answers with them, the socket must be paused; it is read once it was told that the service is reached
   */
  accept(socket: Socket, target: Target, answers?: Answers): void {
    const { uplink } = this.#options
    socket.on('error', () => {})
    if (uplink.serves) return this.#open(socket, target, answers)
    try {
      const leave = uplink.hold.add({
        ready: () => {
          forget()
          this.#open(socket, target, answers)
        },
        expired: error => {
          forget()
          this.#refuse(socket, target, error, answers)
        },
      })
      const forget = () => {
        leave()
        this.#held.delete(socket)
        socket.off('close', forget)
      }
      this.#held.add(socket)
      socket.once('close', forget)
    } catch (thrown) {
      this.#refuse(socket, target, asTunnelError(thrown), answers)
    }
  }

  close(): void {
    this.#closing = true
    for (const socket of this.#held) abort(socket)
    for (const stream of [...this.#streams]) stream.reset(new TunnelError('SESSION_CLOSED', 'connect has ended'))
  }

  #refuse(socket: Socket, target: Target, error: TunnelError, answers: Answers | undefined): void {
    const { code, message, hint } = error
    this.#options.sink.event({ event: 'error', code, message, hint, target: formatTarget(target) })
    if (answers === undefined) abort(socket)
    else answers.failed(error)
  }

  #open(socket: Socket, target: Target, answers: Answers | undefined): void {
    const { uplink, sink, clock } = this.#options
    let stream: Stream
    try {
      stream = uplink.open(target)
    } catch (thrown) {
      return this.#refuse(socket, target, asTunnelError(thrown), answers)
    }
    const since = clock.now()
    const named = formatTarget(target)
    this.#streams.add(stream)
    this.#streamsTotal++
    const join = () => void splice(socket, stream, 'the local client')
    stream.once('opened', () => {
      sink.event({ event: 'open', stream: stream.id, target: named })
      if (answers === undefined || socket.destroyed) return
      answers.opened()
      join()
      socket.resume()
    })
    let failure: TunnelError | undefined
    stream.once('error', error => {
      failure = asTunnelError(error)
    })
    stream.once('close', () => {
      this.#streams.delete(stream)
      this.#bytesUp += stream.bytesSent
      this.#bytesDown += stream.bytesReceived
      if (answers !== undefined && !stream.opened)
        answers.failed(failure ?? new TunnelError('GONE', 'the tunnel has ended'))
      this.#ended(stream, named, failure, clock.now() - since)
    })
    if (answers === undefined) join()
    // Who leaves before the answer leaves no stream behind.
    else socket.once('close', () => stream.opened || stream.destroy())
  }

  /** A local client that goes away is no error of the forward's; what the other end says is. */
  #ended(stream: Stream, target: string, failure: TunnelError | undefined, ms: number): void {
    const { sink } = this.#options
    const { id, bytesSent, bytesReceived } = stream
    if (failure !== undefined && failure.code !== 'PEER_RESET' && !this.#closing) {
      const { code, message, hint } = failure
      sink.event({ event: 'error', code, message, hint, stream: id, target })
    }
    sink.event({
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
