/**
 * The gateway role: one HTTP(S) server whose upgrades become carriers of the relay. It dials nobody and keeps nothing
 * that a restart could lose.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { BlockList, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Carrier } from '../carrier/carrier.ts'
import { defaultHeartbeat } from '../carrier/liveness.ts'
import { serverOptions } from '../carrier/upgrade.ts'
import { WebSocketCarrier } from '../carrier/websocket.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import { SessionMemory } from '../mux/memory.ts'
import type { Role } from '../net/claims.ts'
import type { HostPort } from '../net/listen.ts'
import { serveAdmin } from '../observe/admin.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import { answerRequest, pathOf, refuseUpgrade } from './answers.ts'
import { type Authenticator, statusOf } from './auth.ts'
import type { Certificates } from './certificates.ts'
import { Access } from './ingress/access.ts'
import { Arrivals } from './ingress/arrivals.ts'
import { FrontDoor, type FrontDoorOptions } from './ingress/front-door.ts'
import { Ingress, type IngressOptions } from './ingress/ingress.ts'
import { ingressPrincipal } from './ingress/principal.ts'
import { Uplinks } from './ingress/uplinks.ts'
import { defaultGatewayLimits, type GatewayLimits } from './limits.ts'
import { gatewayMetrics } from './metrics.ts'
import { type Principal, requireRole } from './principal.ts'
import { EXPIRY_GRACE_MS, Reception, type ReceptionOptions } from './reception.ts'
import { createPlainServer, createTlsServer, hasTooManyFields, redirectToTls } from './server.ts'

export interface GatewayOptions extends Omit<ReceptionOptions, 'isRevoked'> {
  readonly listen: HostPort
  readonly adminListen?: HostPort
  readonly authenticator: Authenticator
  /** Absent: plain HTTP, for loopback or behind a proxy that ends TLS. */
  readonly certificates?: Certificates
  /** Where plain requests are sent on to TLS, beside `listen`. */
  readonly plainListen?: HostPort
  /** Peers whose connections begin with a header of the PROXY protocol. Absent: nobody's do. */
  readonly proxyProtocol?: BlockList
  /** Proxies in front, behind whose addresses everybody is. Absent: there are none. */
  readonly sharedProxies?: BlockList
  /** How long the ends may take to leave before their carriers are closed. */
  readonly drainTimeoutMs: number
  /** Absent: no ingress. */
  readonly ingress?: IngressSetup
  /** Cuts a drain short, also one that has not begun. */
  readonly endNow?: AbortSignal
}

/** What an operator has decided about the ingress. */
export interface IngressSetup extends Pick<IngressOptions, 'routes' | 'trusted' | 'frames' | 'hstsMs' | 'randomBytes'> {
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Routes may say that TLS is passed through: the host that a client asks for is looked at below TLS. */
  readonly passesTls: boolean
}

interface Plain {
  readonly address: string
  readonly door: FrontDoor
  readonly server: Server
}

export interface GatewayAddresses {
  readonly url: string
  readonly admin: string | undefined
}

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
  readonly #ingress: Ingress | undefined
  readonly #arrivals: Arrivals
  readonly #limits: GatewayLimits
  #draining = false

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#limits = options.limits ?? defaultGatewayLimits
    this.#arrivals = new Arrivals(this.#limits, options.clock)
    const isRevoked = (principal: Principal) => options.authenticator.isRevoked(principal)
    this.#reception = new Reception({ ...options, isRevoked })
    this.#ingress = options.ingress && createIngress(options, options.ingress, this.#reception)
  }

  /**
   * Serves until `signal` aborts; then it takes nobody in any more, asks every end to leave, and closes with 1012 what is left
   * when the time is up.
   * @param listening called once, when connections are accepted
   * @throws TunnelError LISTEN, PORT_TAKEN
   */
  async run(signal: AbortSignal, listening?: (addresses: GatewayAddresses) => void): Promise<void> {
    const { certificates, plainListen, clock, log } = this.#options
    const server =
      certificates === undefined ? createPlainServer(this.#limits) : createTlsServer(certificates, this.#limits)
    const answer = (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response)
    server.on('request', answer)
    // Whether a client is told to go on is for the service to say.
    server.on('checkContinue', answer)
    server.on('checkExpectation', answer)
    // Before anybody can come: Node answers an upgrade that nobody hears as an ordinary request.
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    const door = this.#door(certificates === undefined ? { http: server } : { https: server as HttpsServer })
    const address = await door.listen(this.#options.listen)
    const plain = plainListen && (await this.#servePlain(plainListen))
    // Until the end, so that readiness can be asked while the gateway drains.
    const serving = new AbortController()
    const admin = this.#options.adminListen && (await this.#serveAdmin(this.#options.adminListen, serving.signal))
    const url = `${certificates === undefined ? 'ws' : 'wss'}://${address}`
    const also = { ...(plain && { plain: plain.address }), ...(admin !== undefined && { admin }) }
    log.info('listening', { address, url, ...also })
    listening?.({ url, admin })
    const sweep = () => {
      this.#endExpired()
      this.endRevoked()
      cancelSweep = clock.after(EXPIRY_SWEEP_MS, sweep)
    }
    let cancelSweep = clock.after(EXPIRY_SWEEP_MS, sweep)
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    await this.#drain(door, server, plain)
    cancelSweep()
    serving.abort()
  }

  #endExpired(): void {
    this.#reception.endExpired()
    this.#ingress?.cutOff('EXPIRED_AUTH', ({ expiresAt }) => expiresAt + EXPIRY_GRACE_MS < this.#options.wallNow())
  }

  /** Ends what those have under way whose access has been taken back. */
  endRevoked(): void {
    const isRevoked = (principal: Principal) => this.#options.authenticator.isRevoked(principal)
    this.#reception.endRevoked(isRevoked)
    this.#ingress?.cutOff('REVOKED', isRevoked)
  }

  #door(servers: Pick<FrontDoorOptions, 'http' | 'https'>): FrontDoor {
    const { proxyProtocol, clock, log } = this.#options
    const ingress = this.#ingress
    return new FrontDoor({
      ...servers,
      ...(proxyProtocol && { trustedProxies: proxyProtocol }),
      ...(this.#options.ingress?.passesTls && { passthrough: name => ingress?.passthrough(name) }),
      arrivals: this.#arrivals,
      shared: this.#options.sharedProxies,
      maxConnections: this.#limits.connections,
      clock,
      log,
    })
  }

  /** Whoever comes in the clear is told to come over TLS: nothing else is served there. */
  async #servePlain(at: HostPort): Promise<Plain> {
    const server = createPlainServer(this.#limits)
    server.on('request', redirectToTls)
    const door = this.#door({ http: server })
    return { address: await door.listen(at), door, server }
  }

  get #notReady(): string | undefined {
    return this.#draining ? 'draining' : undefined
  }

  async #serveAdmin(at: HostPort, signal: AbortSignal): Promise<string> {
    const options = {
      listen: at,
      notReady: () => this.#notReady,
      metrics: [
        ...gatewayMetrics(this.#reception.relay.hops, this.#reception.totals, this.#arrivals),
        ...(this.#ingress?.totals.metrics ?? []),
      ],
    }
    return await serveAdmin(options, signal)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#arrivals.arrived(request.socket)
    if (this.#draining) response.shouldKeepAlive = false
    if (hasTooManyFields(request)) return void response.writeHead(431, { connection: 'close' }).end()
    if (this.#ingress?.serves(request)) return await this.#ingress.request(request, response)
    const { authenticator, log } = this.#options
    const { registry } = this.#reception.relay
    const error = await answerRequest(request, response, { authenticator, registry, ingress: this.#ingress })
    if (error === undefined) return
    this.#reception.totals.refused++
    log.warn('refused', { from: request.socket.remoteAddress, path: pathOf(request), error })
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Before the first await: an unheard error would end the process.
    socket.on('error', () => socket.destroy())
    if (hasTooManyFields(request)) return refuseUpgrade(socket, 431, 'too many header fields')
    if (this.#ingress?.serves(request)) {
      this.#arrivals.arrived(request.socket)
      return await this.#ingress.upgrade(request, socket as Socket, head)
    }
    try {
      const role = this.#checkDoor(request)
      const principal = await this.#options.authenticator.authenticate(request)
      requireRole(principal, role)
      if (this.#draining) throw new TunnelError('DRAINING', 'the gateway is shutting down')
      this.#reception.admit(principal)
      if (socket.destroyed) return
      this.#arrivals.arrived(request.socket)
      this.#sockets.handleUpgrade(request, socket, head, ({ upgraded }) => {
        if (upgraded === undefined) return
        const { clock } = this.#options
        const heartbeat = { ...defaultHeartbeat, stuckMs: this.#limits.stuckMs }
        this.#reception.greet(new WebSocketCarrier(upgraded, { clock, masking: 'none', heartbeat }), principal)
      })
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#reception.totals.refused++
      this.#options.log.warn('refused', { from: request.socket.remoteAddress, path: pathOf(request), error })
      refuseUpgrade(socket, statusOf(error), error.message)
    }
  }

  #checkDoor(request: IncomingMessage): Role {
    const role = PATHS.get(pathOf(request))
    if (role === undefined)
      throw new TunnelError('NOT_A_GATEWAY', `there is only ${[...PATHS.keys()].join(' and ')} here`)
    // A browser sends it, and nobody who calls from a web page has business here.
    if (request.headers.origin !== undefined) throw new TunnelError('FORBIDDEN', 'requests of web pages are not served')
    // What is behind the head would be read as frames here, and perhaps as a body by what is in between.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
      throw new TunnelError('PROTOCOL', 'an upgrade has no body')
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map(protocol => protocol.trim())
    if (!offered.includes(SUBPROTOCOL)) throw new TunnelError('VERSION', `this gateway speaks ${SUBPROTOCOL}`)
    return role
  }

  async #drain(door: FrontDoor, server: Server | HttpsServer, plain: Plain | undefined): Promise<void> {
    const { log, drainTimeoutMs, endNow = new AbortController().signal } = this.#options
    this.#draining = true
    // A successor on this machine can listen here at once, and is who the ends find.
    const closed = Promise.all([door.close(), plain?.door.close()])
    server.closeIdleConnections()
    plain?.server.closeAllConnections()
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
  const { clock, wallNow, software, log, authenticator, limits = defaultGatewayLimits } = options
  const bytes = limits.ingressBytes
  const memory = new SessionMemory(clock, { sessionBytes: bytes, totalBytes: bytes })
  const { random, randomBytes } = setup
  const greet = (carrier: Carrier) => void reception.greet(carrier, ingressPrincipal, true)
  return new Ingress({
    ...setup,
    uplinks: new Uplinks({ clock, wallNow, random, randomBytes, software, memory, greet }),
    access: new Access({ authenticator, wallNow, randomBytes }),
    registry: reception.relay.registry,
    clock,
    log,
  })
}
