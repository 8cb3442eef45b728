/** The connections of one forward: each accepted socket becomes one stream to its target. */
import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { abort, splice } from '../net/splice.ts'
import { formatTarget, type Target } from '../net/target.ts'
import type { Uplink } from '../uplink/uplink.ts'
import { Account, type Figures } from './account.ts'
import type { ConnectSink, StreamSnapshot } from './events.ts'

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

export class Carried {
  readonly #options: CarriedOptions
  readonly #account: Account
  /** Accepted while nothing served. */
  readonly #held = new Set<Socket>()

  constructor(options: CarriedOptions) {
    this.#options = options
    this.#account = new Account(options.sink, options.clock)
  }

  get figures(): Figures {
    return this.#account.figures
  }

  streams(): StreamSnapshot[] {
    return this.#account.streams()
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
    for (const socket of this.#held) abort(socket)
    this.#account.close()
  }

  #refuse(socket: Socket, target: Target, error: TunnelError, answers: Answers | undefined): void {
    const { code, message, hint } = error
    this.#options.sink.event({ event: 'error', code, message, hint, target: formatTarget(target) })
    if (answers === undefined) abort(socket)
    else answers.failed(error)
  }

  #open(socket: Socket, target: Target, answers: Answers | undefined): void {
    let stream: Stream
    try {
      stream = this.#options.uplink.open(target)
    } catch (thrown) {
      return this.#refuse(socket, target, asTunnelError(thrown), answers)
    }
    this.#account.track(stream, formatTarget(target))
    const join = () => void splice(socket, stream, 'the local client')
    if (answers === undefined) return join()
    stream.once('opened', () => {
      if (socket.destroyed) return
      answers.opened()
      join()
      socket.resume()
    })
    let failure = new TunnelError('GONE', 'the tunnel has ended')
    stream.once('error', error => {
      failure = asTunnelError(error)
    })
    stream.once('close', () => {
      if (!stream.opened) answers.failed(failure)
    })
    // Who leaves before the answer leaves no stream behind.
    socket.once('close', () => stream.opened || stream.destroy())
  }
}
