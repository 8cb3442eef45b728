/**
 * The gateway role: one HTTP(S) server whose upgrades become carriers of the relay. It dials nobody and keeps nothing
 * that a restart could lose.
 */
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { WebSocketCarrier, websocketOptions } from '../carrier/websocket.ts'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Role } from '../net/claims.ts'
import { type HostPort, listen } from '../net/listen.ts'
import { formatTarget } from '../net/target.ts'
import { serveAdmin } from '../observe/admin.ts'
import type { Log } from '../observe/log.ts'
import { checkHeader, decodeJson, HOP_ROUTE, Kind, kindOf, routeOf, SUBPROTOCOL, violation } from '../wire/message.ts'
import { type Authenticator, statusOf } from './auth.ts'
import { Hop } from './hop.ts'
import { type GatewayTotals, gatewayMetrics } from './metrics.ts'
import { type Principal, requireRole } from './principal.ts'
import { Relay } from './relay.ts'

export interface GatewayOptions {
  readonly listen: HostPort
  readonly adminListen?: HostPort
  readonly authenticator: Authenticator
  /** PEM texts. Absent: plain HTTP, for loopback or behind a proxy that ends TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Told to the ends in WELCOME, for their logs and terminals. */
  readonly software: string
  readonly clock: Clock
  /** Milliseconds since 1970, for the expiry of tokens. */
  readonly wallNow: () => number
  readonly log: Log
}

export interface GatewayAddresses {
  readonly url: string
  readonly admin: string | undefined
}

const HELLO_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 10_000
const EXPIRY_SWEEP_MS = 10_000
/** A token may be this much over its time before its carrier is ended: clocks differ. */
const EXPIRY_GRACE_MS = 60_000
const PATHS: ReadonlyMap<string, Role> = new Map([
  ['/v1/connect', 'connect'],
  ['/v1/agent', 'agent'],
])

export class Gateway {
  readonly #options: GatewayOptions
  readonly #log: Log
  readonly #relay: Relay
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Of several that are offered, `ws` would pick the first.
    handleProtocols: () => SUBPROTOCOL,
    ...websocketOptions,
  })
  readonly #totals: GatewayTotals = {
    receivedBytes: 0,
    sentBytes: 0,
    opensAllowed: 0,
    opensDenied: 0,
    refused: 0,
    overloads: 0,
  }
  /** Carriers that have not said HELLO yet; the relay does not know them. */
  readonly #arriving = new Set<WebSocketCarrier>()
  #draining = false

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#log = options.log
    this.#relay = new Relay({
      opened: (hop, target, allowed, rule) => {
        if (allowed) this.#totals.opensAllowed++
        else this.#totals.opensDenied++
        const fields = { subject: hop.principal.subject, target: formatTarget(target), rule: rule ?? 'none' }
        if (allowed) this.#log.debug('open allowed', fields)
        else this.#log.warn('open denied', fields)
      },
      attached: (hop, agent) => this.#log.info('attached', { subject: hop.principal.subject, agent }),
      overloaded: hop => {
        this.#totals.overloads++
        this.#log.warn('route overloaded', { subject: hop.principal.subject })
      },
    })
  }

  /**
   * Serves until `signal` aborts, then closes every carrier with 1012 and resolves.
   * @param listening called once, when connections are accepted
   * @throws TunnelError LISTEN, PORT_TAKEN, KEY_FILE for a TLS pair that does not fit
   */
  async run(signal: AbortSignal, listening?: (addresses: GatewayAddresses) => void): Promise<void> {
    const { tls, clock } = this.#options
    const server = createServer(tls)
    const address = await listen(server, this.#options.listen)
    const admin = this.#options.adminListen && (await this.#serveAdmin(this.#options.adminListen, signal))
    const url = `${tls ? 'wss' : 'ws'}://${address}`
    this.#log.info('listening', { address, url, ...(admin !== undefined && { admin }) })
    listening?.({ url, admin })
    const sweep = () => {
      this.#endExpired()
      cancelSweep = clock.after(EXPIRY_SWEEP_MS, sweep)
    }
    let cancelSweep = clock.after(EXPIRY_SWEEP_MS, sweep)
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    cancelSweep()
    await this.#close(server)
  }

  get #notReady(): string | undefined {
    return this.#draining ? 'draining' : undefined
  }

  async #serveAdmin(at: HostPort, signal: AbortSignal): Promise<string> {
    const options = {
      listen: at,
      notReady: () => this.#notReady,
      metrics: gatewayMetrics(this.#relay.hops, this.#totals),
    }
    return await serveAdmin(options, signal)
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Before the first await: an unheard error would end the process.
    socket.on('error', () => socket.destroy())
    try {
      const role = this.#checkDoor(request)
      const principal = await this.#options.authenticator.authenticate(request)
      requireRole(principal, role)
      if (this.#draining) throw new TunnelError('DRAINING', 'the gateway is shutting down')
      if (socket.destroyed) return
      this.#sockets.handleUpgrade(request, socket, head, accepted => {
        this.#greet(
          new WebSocketCarrier(accepted, { clock: this.#options.clock, transport: request.socket }),
          principal,
        )
      })
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#totals.refused++
      this.#log.warn('refused', { from: request.socket.remoteAddress, path: pathOf(request), error })
      refuse(socket, statusOf(error), error.message)
    }
  }

  #checkDoor(request: IncomingMessage): Role {
    const role = PATHS.get(pathOf(request))
    if (role === undefined)
      throw new TunnelError('NOT_A_GATEWAY', `there is only ${[...PATHS.keys()].join(' and ')} here`)
    // A browser sends it, and nobody who calls from a web page has business here.
    if (request.headers.origin !== undefined) throw new TunnelError('FORBIDDEN', 'requests of web pages are not served')
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map(protocol => protocol.trim())
    if (!offered.includes(SUBPROTOCOL)) throw new TunnelError('VERSION', `this gateway speaks ${SUBPROTOCOL}`)
    return role
  }

  /** Waits for HELLO, then hands the carrier to the relay. */
  #greet(carrier: WebSocketCarrier, principal: Principal): void {
    const hop = new Hop(carrier, principal)
    let greeted = false
    this.#arriving.add(carrier)
    const cancel = this.#options.clock.after(HELLO_TIMEOUT_MS, () => carrier.close(4408, 'no HELLO came in time'))
    carrier.start({
      message: message => {
        if (greeted) return this.#relay.message(hop, message)
        greeted = true
        cancel()
        this.#arriving.delete(carrier)
        try {
          checkHeader(message)
          if (routeOf(message) !== HOP_ROUTE || kindOf(message) !== Kind.HELLO)
            throw violation('the first message is not HELLO')
          const { software } = decodeJson(message)
          this.#relay.add(hop, this.#welcome(principal))
          this.#log.info('connected', { ...identity(principal), software: String(software) })
        } catch (thrown) {
          const error = asTunnelError(thrown)
          this.#log.warn('refused', { ...identity(principal), error })
          carrier.close(error.close, error.message)
        }
      },
      drain: () => hop.drain(),
      closed: ({ code, reason }) => {
        cancel()
        this.#arriving.delete(carrier)
        this.#totals.receivedBytes += hop.receivedBytes
        this.#totals.sentBytes += hop.sentBytes
        this.#relay.remove(hop)
        if (greeted) this.#log.info('disconnected', { ...identity(principal), code, reason })
      },
    })
  }

  #welcome(principal: Principal): object {
    const agents =
      principal.role === 'connect' ? { agents: this.#relay.registry.visibleTo(principal).slice(0, 64) } : {}
    return { software: this.#options.software, ...agents }
  }

  #endExpired(): void {
    for (const hop of this.#relay.hops) {
      if (this.#options.wallNow() < hop.principal.expiresAt + EXPIRY_GRACE_MS) continue
      this.#log.warn('token expired', identity(hop.principal))
      hop.carrier.close(new TunnelError('UNAUTHENTICATED', '').close, 'the token has expired')
    }
  }

  async #close(server: Server): Promise<void> {
    this.#draining = true
    const closed = new Promise(resolve => server.close(resolve))
    const { close } = new TunnelError('DRAINING', '')
    const carriers = [...this.#arriving, ...[...this.#relay.hops].map(hop => hop.carrier)]
    for (const carrier of carriers) carrier.close(close, 'the gateway is shutting down')
    // Also those that have sent half a request, or nothing: Node checks no timeouts any more once a server closes.
    server.closeAllConnections()
    await closed
    this.#log.info('stopped')
  }
}

function createServer(tls: GatewayOptions['tls']): Server {
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: 5_000,
  }
  let server: Server
  try {
    server =
      tls === undefined ? createHttpServer(limits) : createHttpsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' })
  } catch (cause) {
    throw new TunnelError('KEY_FILE', `the TLS certificate and key do not fit: ${(cause as Error).message}`, {
      cause,
      hint: 'give the PEM files of one pair with --tls-cert and --tls-key',
    })
  }
  server.on('request', (_request, response) => {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
    response.end('this is a tunnelctl gateway: use tunnelctl connect\n')
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

const pathOf = (request: IncomingMessage): string => request.url?.split('?')[0] ?? ''

function identity({ role, subject, agents, tokenId }: Principal): object {
  return role === 'agent' ? { role, subject, agent: agents[0], tokenId } : { role, subject, tokenId }
}

/** Answers an upgrade with a status and ends the socket: what was pipelined behind it is never read. */
function refuse(socket: Duplex, status: number, message: string): void {
  if (socket.destroyed) return
  const text = `${message.replace(/[^\x20-\x7e]/g, '?')}\n`
  const head = [
    `HTTP/1.1 ${status} ${status === 401 ? 'Unauthorized' : 'Refused'}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...(status === 426 ? [`Sec-WebSocket-Protocol: ${SUBPROTOCOL}`] : []),
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
  socket.once('finish', () => socket.destroy())
}
