/**
 * The gateway role: one HTTP(S) server whose upgrades become carriers of the relay. It dials nobody and keeps nothing
 * that a restart could lose.
 */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { serverOptions } from '../carrier/upgrade.ts'
import { WebSocketCarrier } from '../carrier/websocket.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Role } from '../net/claims.ts'
import { type HostPort, listen } from '../net/listen.ts'
import { serveAdmin } from '../observe/admin.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import { answerRequest, pathOf } from './answers.ts'
import { type Authenticator, statusOf } from './auth.ts'
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
  /** Cuts a drain short, also one that has not begun. */
  readonly endNow?: AbortSignal
}

export interface GatewayAddresses {
  readonly url: string
  readonly admin: string | undefined
}

const HEADERS_TIMEOUT_MS = 10_000
const EXPIRY_SWEEP_MS = 10_000
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
  #draining = false

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#reception = new Reception(options)
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
    server.on('request', (request, response) => void this.#answer(request, response))
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
    const { authenticator, log } = this.#options
    const error = await answerRequest(request, response, { authenticator, registry: this.#reception.relay.registry })
    if (error === undefined) return
    this.#reception.totals.refused++
    log.warn('refused', { from: request.socket.remoteAddress, path: pathOf(request), error })
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
    if (before > 0 && drainTimeoutMs > 0 && !endNow.aborted) {
      log.info('draining', { carriers: before, timeoutMs: drainTimeoutMs })
      await this.#reception.drain(drainTimeoutMs, endNow)
    }
    const left = this.#reception.carriers
    const ended = this.#reception.close()
    // Also those that have sent half a request, or nothing: Node checks no timeouts any more once a server closes.
    server.closeAllConnections()
    await closed
    await ended
    log.info('stopped', { moved: before - left, closed: left })
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
  server.on('clientError', (_error, socket) => socket.destroy())
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
