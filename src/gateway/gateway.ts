/**
 * The gateway role: one HTTP(S) server whose upgrades become carriers of the relay. It dials nobody and keeps nothing
 * that a restart could lose.
 */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Carrier } from '../carrier/carrier.ts'
import { serverOptions } from '../carrier/upgrade.ts'
import { WebSocketCarrier } from '../carrier/websocket.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Role } from '../net/claims.ts'
import { type HostPort, listen } from '../net/listen.ts'
import { serveAdmin } from '../observe/admin.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import { answerRequest, pathOf } from './answers.ts'
import { type Authenticator, statusOf } from './auth.ts'
import { Access } from './ingress/access.ts'
import { Ingress, type IngressOptions } from './ingress/ingress.ts'
import { ingressPrincipal } from './ingress/principal.ts'
import { Uplinks } from './ingress/uplinks.ts'
import { gatewayMetrics } from './metrics.ts'
import { requireRole } from './principal.ts'
import { Reception, type ReceptionOptions } from './reception.ts'

export interface GatewayOptions extends ReceptionOptions {
  readonly listen: HostPort
  readonly adminListen?: HostPort
  readonly authenticator: Authenticator
  /** PEM texts. Absent: plain HTTP, for loopback or behind a proxy that ends TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** How long the ends may take to leave before their carriers are closed. */
  readonly drainTimeoutMs: number
  /** Absent: no ingress. */
  readonly ingress?: IngressSetup
  /** Cuts a drain short, also one that has not begun. */
  readonly endNow?: AbortSignal
}

/** What an operator has decided about the ingress. */
export interface IngressSetup extends Pick<IngressOptions, 'routes' | 'trusted' | 'randomBytes'> {
  /** Uniform in [0, 1). */
  readonly random: () => number
}

export interface GatewayAddresses {
  readonly url: string
  readonly admin: string | undefined
}

const HEADERS_TIMEOUT_MS = 10_000
const EXPIRY_SWEEP_MS = 10_000
const MAX_HEADER_FIELDS = 256
/** TCP's own; and how long a connection may wait for its next request: longer than load balancers keep one, which is 60 s. */
const KEEP_ALIVE_MS = 30_000
const IDLE_TIMEOUT_MS = 75_000
const PATHS: ReadonlyMap<string, Role> = new Map([
  ['/v1/connect', 'connect'],
  ['/v1/agent', 'agent'],
])

export class Gateway {
  readonly #options: GatewayOptions
  readonly #reception: Reception
  readonly #sockets = new WebSocketServer({
    ...serverOptions,
    // Of several that are offered, `ws` would pick the first.
    handleProtocols: () => SUBPROTOCOL,
  })
  readonly #ingress: Ingress | undefined
  #draining = false

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#reception = new Reception(options)
    this.#ingress = options.ingress && createIngress(options, options.ingress, this.#reception)
  }

  /**
   * Serves until `signal` aborts; then it takes nobody in any more, asks every end to leave, and closes with 1012 what is left
   * when the time is up.
   * @param listening called once, when connections are accepted
   * @throws TunnelError LISTEN, PORT_TAKEN, KEY_FILE for a TLS pair that does not fit
   */
  async run(signal: AbortSignal, listening?: (addresses: GatewayAddresses) => void): Promise<void> {
    const { tls, clock, log } = this.#options
    const server = createServer(tls)
    const answer = (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response)
    server.on('request', answer)
    // Whether a client is told to go on is for the service to say.
    server.on('checkContinue', answer)
    server.on('checkExpectation', answer)
    // Before anybody can come: Node answers an upgrade that nobody hears as an ordinary request.
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    const address = await listen(server, this.#options.listen)
    // Until the end, so that readiness can be asked while the gateway drains.
    const serving = new AbortController()
    const admin = this.#options.adminListen && (await this.#serveAdmin(this.#options.adminListen, serving.signal))
    const url = `${tls ? 'wss' : 'ws'}://${address}`
    log.info('listening', { address, url, ...(admin !== undefined && { admin }) })
    listening?.({ url, admin })
    const sweep = () => {
      this.#reception.endExpired()
      cancelSweep = clock.after(EXPIRY_SWEEP_MS, sweep)
    }
    let cancelSweep = clock.after(EXPIRY_SWEEP_MS, sweep)
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    await this.#drain(server)
    cancelSweep()
    serving.abort()
  }

  get #notReady(): string | undefined {
    return this.#draining ? 'draining' : undefined
  }

  async #serveAdmin(at: HostPort, signal: AbortSignal): Promise<string> {
    const options = {
      listen: at,
      notReady: () => this.#notReady,
      metrics: gatewayMetrics(this.#reception.relay.hops, this.#reception.totals),
    }
    return await serveAdmin(options, signal)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#draining) response.shouldKeepAlive = false
    if (hasTooManyFields(request)) return void response.writeHead(431, { connection: 'close' }).end()
    if (this.#ingress?.serves(request)) return await this.#ingress.request(request, response)
    const { authenticator, log } = this.#options
    const error = await answerRequest(request, response, { authenticator, registry: this.#reception.relay.registry })
    if (error === undefined) return
    this.#reception.totals.refused++
    log.warn('refused', { from: request.socket.remoteAddress, path: pathOf(request), error })
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Before the first await: an unheard error would end the process.
    socket.on('error', () => socket.destroy())
    if (hasTooManyFields(request)) return refuse(socket, 431, 'too many header fields')
    if (this.#ingress?.serves(request)) return await this.#ingress.upgrade(request, socket as Socket, head)
    try {
      const role = this.#checkDoor(request)
      const principal = await this.#options.authenticator.authenticate(request)
      requireRole(principal, role)
      if (this.#draining) throw new TunnelError('DRAINING', 'the gateway is shutting down')
      if (socket.destroyed) return
      this.#sockets.handleUpgrade(request, socket, head, ({ upgraded }) => {
        if (upgraded === undefined) return
        const { clock } = this.#options
        this.#reception.greet(new WebSocketCarrier(upgraded, { clock, masking: 'none' }), principal)
      })
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#reception.totals.refused++
      this.#options.log.warn('refused', { from: request.socket.remoteAddress, path: pathOf(request), error })
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

  async #drain(server: Server): Promise<void> {
    const { log, drainTimeoutMs, endNow = new AbortController().signal } = this.#options
    this.#draining = true
    // A successor on this machine can listen here at once, and is who the ends find.
    const closed = new Promise(resolve => server.close(resolve))
    const before = this.#reception.carriers
    const isBusy = () => this.#ingress?.isBusy === true
    if ((before > 0 || isBusy()) && drainTimeoutMs > 0 && !endNow.aborted) {
      log.info('draining', { carriers: before, timeoutMs: drainTimeoutMs })
      await this.#reception.drain(drainTimeoutMs, endNow, isBusy)
    }
    const left = this.#reception.carriers
    this.#ingress?.close()
    const ended = this.#reception.close()
    // Also those that have sent half a request, or nothing: Node checks no timeouts any more once a server closes.
    server.closeAllConnections()
    await closed
    await ended
    log.info('stopped', { moved: before - left, closed: left })
  }
}

function createIngress(options: GatewayOptions, setup: IngressSetup, reception: Reception): Ingress {
  const { clock, wallNow, software, log, authenticator } = options
  const { random, randomBytes } = setup
  const greet = (carrier: Carrier) => void reception.greet(carrier, ingressPrincipal, true)
  return new Ingress({
    ...setup,
    uplinks: new Uplinks({ clock, wallNow, random, randomBytes, software, greet }),
    access: new Access({ authenticator, wallNow, randomBytes }),
    registry: reception.relay.registry,
    clock,
    log,
  })
}

function createServer(tls: GatewayOptions['tls']): Server {
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    // Uploads take as long as they take; who stands still is ended where it matters.
    requestTimeout: 0,
    connectionsCheckingInterval: 5_000,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
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
  // Node would drop what is too much, in silence; what is too long in all, it refuses.
  server.maxHeadersCount = 0
  server.on('clientError', answerClientError)
  return server
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

const hasTooManyFields = ({ rawHeaders }: IncomingMessage): boolean => rawHeaders.length > 2 * MAX_HEADER_FIELDS

/** What is no HTTP, or not in time: a status by Node's own name for it, and the end. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // As Node itself finds it: what was written into an answer that has begun would be taken for a part of it.
  const { _httpMessage: answer } = socket as Duplex & { readonly _httpMessage?: ServerResponse | null }
  if (!socket.writable || error.code === 'ECONNRESET' || answer?.headersSent) return void socket.destroy()
  const status = clientErrors.get(error.code ?? '') ?? '400 Bad Request'
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

const clientErrors = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
])
