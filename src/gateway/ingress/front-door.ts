/**
 * Accepts the connections of a port and decides, below HTTP, who serves them: the PROXY protocol says who the client is, the
 * ClientHello which host it wants. What is not passed through goes on to Node's own servers, as if they had accepted it.
 */
import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { type BlockList, createServer, type Server, type Socket } from 'node:net'
import { type TLSSocket, Server as TlsServer } from 'node:tls'
import type { Clock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { unmapped } from '../../net/address.ts'
import { inRanges } from '../../net/cidr.ts'
import { type HostPort, listen } from '../../net/listen.ts'
import type { Log } from '../../observe/log.ts'
import { type Arrivals, endsOf } from './arrivals.ts'
import { clientAddress, tellClientAddress } from './client-address.ts'
import { serverName } from './client-hello.ts'
import { type Passage, Preread } from './preread.ts'
import { parseProxyHeader } from './proxy-protocol.ts'

export interface FrontDoorOptions {
  /** Servers that do not listen; at least one. With both, a connection that begins as TLS is for `https`. */
  readonly http?: HttpServer
  readonly https?: HttpsServer
  /** Peers whose connections must begin with a header of the PROXY protocol. Of others a header is not believed. */
  readonly trustedProxies?: BlockList
  /**
   * Who takes a TLS connection to this host as it is, from its first byte on; undefined: it is for `https`. Asked once for
   * each connection that names a host. What it gives gets a socket that is half-open and does not flow yet.
   */
  readonly passthrough?: (serverName: string) => ((socket: Socket) => void) | undefined
  readonly clock: Clock
  readonly log: Log
  /** Is told of each connection with the address of its client. */
  readonly arrivals?: Arrivals
  /** Peers that others are behind: their connections are no arrivals of one client. */
  readonly shared?: BlockList | undefined
  /** Of this port; those that are too many are closed as they come. Absent: as many as there may be descriptors. */
  readonly maxConnections?: number
  /** How many connections may be looked at at once. 1,000 when absent. */
  readonly maxPrereads?: number
}

type Onward = (socket: Socket) => void

const PREREAD_DEADLINE_MS = 10_000
const MAX_PREREADS = 1_000
const KEEP_ALIVE_MS = 30_000

export class FrontDoor {
  readonly #options: FrontDoorOptions
  readonly #server: Server
  readonly #preread: Preread
  /** Whether the first bytes of the client say where it goes. */
  readonly #sniffs: boolean
  /** Sockets of which a proxy has told, by both ends of the connection. */
  readonly #told = new Map<string, Socket>()

  constructor(options: FrontDoorOptions) {
    const { http, https, passthrough, clock, log, maxPrereads = MAX_PREREADS } = options
    this.#options = options
    this.#sniffs = passthrough !== undefined || (http !== undefined && https !== undefined)
    const transport = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
    // As http.Server does: it answers requests of clients that have ended their half.
    this.#server = createServer({ ...transport, allowHalfOpen: true }, socket => this.#accept(socket))
    if (options.maxConnections !== undefined) this.#server.maxConnections = options.maxConnections
    this.#server.on('drop', () => options.arrivals?.drop())
    this.#preread = new Preread({
      clock,
      deadlineMs: PREREAD_DEADLINE_MS,
      maxSockets: maxPrereads,
      refused: (socket, error) => {
        const level = error.code === 'IDLE' || error.code === 'LIMIT' ? 'debug' : 'warn'
        log[level]('refused', { from: socket.remoteAddress, error })
      },
    })
  }

  /** Connections whose first bytes are awaited. */
  get prereads(): number {
    return this.#preread.sockets
  }

  /**
   * Accepts connections at `at`, and gives the address it got, as text.
   * @throws TunnelError PORT_TAKEN, LISTEN
   */
  async listen(at: HostPort): Promise<string> {
    const { http, https, log } = this.#options
    https?.prependListener('secureConnection', this.#secured)
    const address = await listen(this.#server, at)
    this.#server.on('error', error => log.error('accept failed', { error }))
    // Node's servers check headersTimeout and requestTimeout, and know their connections, only once they listen.
    for (const server of [http, https]) server?.emit('listening')
    return address
  }

  /**
   * Accepts nobody any more and destroys what is still looked at. Resolves when every connection is gone that it has accepted;
   * those that it has handed on are their servers' to end: `close()` and `closeAllConnections()`.
   */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#preread.close()
    await closed
    this.#options.https?.off('secureConnection', this.#secured)
  }

  #accept(socket: Socket): void {
    // Before anything else: an unheard error would end the process. Node destroys the socket by itself.
    socket.on('error', () => {})
    const { trustedProxies, shared, arrivals } = this.#options
    const address = unmapped(socket.remoteAddress ?? '')
    const isProxied = inRanges(trustedProxies, address)
    if (!isProxied && !inRanges(shared, address)) arrivals?.add(socket, address)
    if (socket.destroyed) return
    if (!isProxied && !this.#sniffs) serve(this.#options.https ?? this.#options.http, socket)
    else this.#preread.start(socket, seen => this.#examine(seen, isProxied))
  }

  #examine(seen: Buffer, isProxied: boolean): 'more' | Passage {
    if (!isProxied) return this.#route(seen, 0)
    const header = parseProxyHeader(seen)
    if (header === 'more') return 'more'
    if (header === 'none') {
      throw new TunnelError('PROTOCOL', 'a trusted proxy did not begin with a PROXY protocol header', {
        hint: 'turn the PROXY protocol on at the load balancer, or off at the gateway',
      })
    }
    return this.#route(seen, header.consumed, header.source?.address)
  }

  #route(seen: Buffer, consumed: number, told?: string): 'more' | Passage {
    const onward = this.#destination(seen.subarray(consumed))
    if (onward === 'more') return 'more'
    const go = (socket: Socket) => {
      if (told !== undefined) {
        this.#tell(socket, told)
        this.#options.arrivals?.add(socket, told)
        if (socket.destroyed) return
      }
      onward(socket)
    }
    return { consumed, go }
  }

  #destination(bytes: Buffer): 'more' | Onward {
    const { http, https, passthrough } = this.#options
    const hello = this.#sniffs ? serverName(bytes) : undefined
    if (hello === 'more') return 'more'
    if (hello === 'not tls') return socket => serve(http ?? https, socket)
    const taken = hello?.name === undefined ? undefined : passthrough?.(hello.name)
    if (taken === undefined) return socket => serve(https ?? http, socket)
    return socket => {
      this.#options.arrivals?.arrived(socket)
      taken(socket)
    }
  }

  #tell(socket: Socket, told: string): void {
    tellClientAddress(socket, told)
    const ends = endsOf(socket)
    this.#told.set(ends, socket)
    socket.once('close', () => {
      if (this.#told.get(ends) === socket) this.#told.delete(ends)
    })
  }

  readonly #secured = (socket: TLSSocket): void => {
    const below = this.#told.get(endsOf(socket))
    if (below !== undefined) tellClientAddress(socket, clientAddress(below))
  }
}

function serve(server: HttpServer | HttpsServer | undefined, socket: Socket): void {
  // A client that leaves during the handshake would leave a TLS server with half a connection: they accept none of those.
  if (server instanceof TlsServer) socket.allowHalfOpen = false
  server?.emit('connection', socket)
}
