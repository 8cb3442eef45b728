/** A forward's TCP listeners: each accepted connection becomes one stream to the forward's target. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { formatHostPort, listen } from '../net/listen.ts'
import { abort, splice } from '../net/splice.ts'
import { type Forward, formatTarget } from '../net/target.ts'
import type { ConnectSink, ForwardSnapshot } from './events.ts'
import type { Uplink } from './uplink.ts'

export interface TcpForwardOptions {
  readonly forward: Forward
  readonly uplink: Pick<Uplink, 'serves' | 'open' | 'hold'>
  readonly sink: ConnectSink
  readonly clock: Clock
}

const KEEP_ALIVE_MS = 30_000
/** How often another free port is tried when only one of the two loopbacks has it. */
const PORT_TRIES = 10

export class TcpForward {
  readonly target: string
  /** As printed; the IPv4 loopback first. */
  locals: readonly string[] = []
  readonly #options: TcpForwardOptions
  readonly #streams = new Set<Stream>()
  /** Accepted while nothing served. */
  readonly #held = new Set<Socket>()
  #servers: Server[] = []
  #streamsTotal = 0
  /** Of streams that have ended. */
  #bytesUp = 0
  #bytesDown = 0

  constructor(options: TcpForwardOptions) {
    this.#options = options
    this.target = formatTarget(options.forward.target)
  }

  /**
   * Binds the forward's address, or both loopbacks. A port that was asked for is that port or an error; otherwise it is
   * the target's own number if it can be had, else any free one.
   * @throws TunnelError PORT_TAKEN, LISTEN
   */
  async listen(): Promise<void> {
    const { address, port, target } = this.#options.forward
    const hosts = address === undefined || address === 'localhost' ? ['127.0.0.1', '::1'] : [address]
    if (port !== undefined && port !== 0) return await this.#bind(hosts, port)
    const own = port === undefined && typeof target.port === 'number' ? target.port : 0
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#bind(hosts, attempt === 1 ? own : 0)
      } catch (thrown) {
        if (attempt === PORT_TRIES || (hosts.length === 1 && own === 0)) throw thrown
      }
    }
  }

  snapshot(): ForwardSnapshot {
    let bytesUp = this.#bytesUp
    let bytesDown = this.#bytesDown
    for (const stream of this.#streams) {
      bytesUp += stream.bytesSent
      bytesDown += stream.bytesReceived
    }
    return {
      local: this.locals[0] ?? '',
      target: this.target,
      streamsOpen: this.#streams.size,
      streamsTotal: this.#streamsTotal,
      bytesUp,
      bytesDown,
    }
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const socket of this.#held) abort(socket)
    for (const stream of [...this.#streams]) stream.reset(new TunnelError('SESSION_CLOSED', 'connect has ended'))
  }

  /** The first host decides the port; a second that this machine does not have is left out. */
  async #bind(hosts: readonly string[], port: number): Promise<void> {
    const servers: Server[] = []
    const locals: string[] = []
    let bound = port
    try {
      for (const host of hosts) {
        const server = createServer(
          { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
          socket => this.#accept(socket),
        )
        try {
          await listen(server, { host, port: bound })
        } catch (thrown) {
          if (servers.length > 0 && asTunnelError(thrown).code === 'LISTEN') continue
          throw thrown
        }
        // A failing accept (EMFILE) must not end the process; the next one may work.
        server.on('error', () => {})
        servers.push(server)
        const at = server.address()
        if (typeof at === 'object' && at !== null) bound = at.port
        locals.push(formatHostPort({ host, port: bound }))
      }
    } catch (thrown) {
      for (const server of servers) server.close()
      throw thrown
    }
    this.#servers = servers
    this.locals = locals
  }

  /** While nothing serves, the socket waits unread: what is opened later belongs to whatever session is there then. */
  #accept(socket: Socket): void {
    const { uplink } = this.#options
    socket.on('error', () => {})
    if (uplink.serves) return this.#open(socket)
    try {
      const leave = uplink.hold.add({
        ready: () => {
          forget()
          this.#open(socket)
        },
        expired: error => {
          forget()
          this.#refuse(socket, error)
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
      this.#refuse(socket, asTunnelError(thrown))
    }
  }

  #refuse(socket: Socket, { code, message, hint }: TunnelError): void {
    this.#options.sink.event({ event: 'error', code, message, hint, target: this.target })
    abort(socket)
  }

  #open(socket: Socket): void {
    const { uplink, sink, clock, forward } = this.#options
    let stream: Stream
    try {
      stream = uplink.open(forward.target)
    } catch (thrown) {
      return this.#refuse(socket, asTunnelError(thrown))
    }
    const since = clock.now()
    this.#streams.add(stream)
    this.#streamsTotal++
    stream.once('opened', () => sink.event({ event: 'open', stream: stream.id, target: this.target }))
    let failure: TunnelError | undefined
    stream.once('error', error => {
      failure = asTunnelError(error)
    })
    stream.once('close', () => {
      this.#streams.delete(stream)
      this.#bytesUp += stream.bytesSent
      this.#bytesDown += stream.bytesReceived
      this.#ended(stream, failure, clock.now() - since)
    })
    void splice(socket, stream, 'the local client')
  }

  /** A local client that goes away is no error of the forward's; what the other end says is. */
  #ended(stream: Stream, failure: TunnelError | undefined, ms: number): void {
    const { sink } = this.#options
    const { id, bytesSent, bytesReceived } = stream
    if (failure !== undefined && failure.code !== 'PEER_RESET') {
      const { code, message, hint } = failure
      sink.event({ event: 'error', code, message, hint, stream: id, target: this.target })
    }
    sink.event({
      event: 'close',
      stream: id,
      target: this.target,
      bytesUp: bytesSent,
      bytesDown: bytesReceived,
      ms: Math.round(ms),
      code: failure?.code ?? 'OK',
    })
  }
}
