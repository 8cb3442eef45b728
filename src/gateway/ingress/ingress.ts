/**
 * The gateway as HTTP and WebSocket ingress: requests for hosts that have a route go to services behind agents, by streams of the
 * tunnel; the gateway dials nothing that a request names.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BlockList, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { inRanges } from '../../net/cidr.ts'
import { formatTarget, type Target } from '../../net/target.ts'
import type { Log } from '../../observe/log.ts'
import { decideOpen } from '../acl.ts'
import { mayUseAgent, type Principal } from '../principal.ts'
import type { Registry } from '../registry.ts'
import { type Access, LOGIN_PATH, OWN_PATH, setsOwnCookie, withoutOwnCookie } from './access.ts'
import { chooseAgent } from './choice.ts'
import { clientOf } from './client.ts'
import { clientAddress } from './client-address.ts'
import { Connections } from './connections.ts'
import { passRequest } from './exchange.ts'
import { answerFailure, Failure, type FailureContext, failureOf, refuseSocket } from './failure.ts'
import { isLoop, requestFields, responseFields } from './fields.ts'
import { type FrameDetail, type FrameWatch, watchFrames } from './frames.ts'
import { hostOf } from './host.ts'
import { answerLogin } from './login.ts'
import { passTls } from './passthrough.ts'
import { Patience } from './patience.ts'
import type { Exchanger, Plan } from './plan.ts'
import { RequestRecord } from './record.ts'
import { type Destination, destinationOf } from './request.ts'
import type { Route, Routes } from './routes.ts'
import { IngressTotals } from './totals.ts'
import { passUpgrade, upgradeToken } from './upgrade.ts'
import type { Uplinks } from './uplinks.ts'

export interface IngressOptions {
  /** Those of the moment. */
  readonly routes: () => Routes
  readonly uplinks: Uplinks
  readonly access: Access
  readonly registry: Registry
  /** Proxies in front of the gateway: what they say of the client is believed. Absent: there are none. */
  readonly trusted: BlockList | undefined
  readonly frames: FrameDetail
  /** For so long browsers come over TLS alone, once they have; 0: they are told nothing. */
  readonly hstsMs: number
  readonly clock: Clock
  readonly randomBytes: (bytes: number) => Buffer
  readonly log: Log
}

const NO_FIELDS: ReadonlySet<string> = new Set()

/** What a request is, once it is known to be good and allowed. */
interface Admitted {
  readonly destination: Destination
  readonly route: Route
  readonly agent: string
}

export class Ingress {
  readonly #options: IngressOptions
  readonly #exchanger: Exchanger
  readonly #upgraded = new Set<Socket>()
  /** What is under way, with what cuts it. */
  readonly #live = new Map<RequestRecord, () => void>()
  /** Tells the requests of this process from those of others. */
  readonly #idPrefix: string
  #requests = 0
  readonly totals = new IngressTotals()

  constructor(options: IngressOptions) {
    this.#options = options
    const { clock, uplinks, randomBytes } = options
    this.#idPrefix = randomBytes(6).toString('base64url')
    const open: Uplinks['open'] = (agent, target, signal) => uplinks.open(agent, target, signal)
    this.#exchanger = {
      clock,
      patience: new Patience(clock),
      fresh: new Connections(open, clock, false),
      kept: new Connections(open, clock, true),
      totals: this.totals,
    }
  }

  get isBusy(): boolean {
    return this.totals.open > 0
  }

  /** Whether the request is for a host that this ingress serves, whatever else is wrong with it. */
  serves({ headers }: IncomingMessage): boolean {
    const host = hostOf(headers.host ?? '')
    return host !== undefined && this.#options.routes().knows(host)
  }

  /** Answers, whatever happens. */
  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = this.#record(request)
    const { access } = this.#options
    response.on('error', () => {})
    this.#begin(record, () => response.destroy())
    try {
      const admitted = await this.#admit(request, record, false)
      if (admitted === undefined) return answerLogin(request, response, { record, access, hsts: this.#hstsOf(record) })
      await passRequest(this.#exchanger, request, response, this.#plan(request, admitted, record))
    } catch (thrown) {
      const failure = this.#failed(thrown, record)
      if (response.headersSent || response.destroyed) response.destroy()
      else answerFailure(response, failure, this.#contextOf(request, record), this.#options.clock)
    } finally {
      this.#finish(record)
    }
  }

  /** Takes over the socket, which has an `error` listener. */
  async upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const record = this.#record(request)
    this.#begin(record, () => socket.destroy())
    this.#upgraded.add(socket)
    try {
      const admitted = await this.#admit(request, record, true)
      if (admitted === undefined) throw new Failure(404, 'NO_ROUTE', 'There is nothing here.')
      const token = upgradeToken(request, admitted.route.upgrades)
      const watch = this.#watchFrames(token, record)
      const plan = { ...this.#plan(request, admitted, record), token, tap: watch?.tap }
      await passUpgrade(this.#exchanger, request, socket, head, plan)
      if (watch === undefined || record.upgrade === undefined) return
      record.frames = watch.summary()
      this.totals.watched(watch.summary())
    } catch (thrown) {
      refuseSocket(socket, this.#failed(thrown, record), this.#contextOf(request, record))
    } finally {
      this.#upgraded.delete(socket)
      this.#finish(record)
    }
  }

  /** Who takes a TLS connection to this host as it is; undefined: nobody does. */
  passthrough(host: string): ((socket: Socket) => void) | undefined {
    const route = this.#options.routes().find(host, '/')
    return route?.passthrough === true ? socket => void this.#passTls(host, route, socket) : undefined
  }

  /**
   * Where a browser comes in to `target` as `principal`: a host, and a path that is good once, for a minute.
   * @throws TunnelError DENIED, AGENT_UNAVAILABLE, BAD_TARGET when no host stands for it
   */
  invite(principal: Principal, target: Target, agent: string | undefined): { host: string; path: string } {
    const { routes, registry, access } = this.#options
    const host = target.protocol === 'tcp' ? routes().hostFor(target, agent) : undefined
    const route = host === undefined ? undefined : routes().find(host, '/')
    if (host === undefined || route === undefined) {
      throw new TunnelError('BAD_TARGET', `no host of the ingress stands for ${formatTarget(target)}`)
    }
    authorize(principal, chooseAgent(registry, route, principal), route)
    return { host, path: `${LOGIN_PATH}?code=${access.invite(principal, host)}` }
  }

  /** Cuts what those have under way of whom `isOver` says so; `code` is for the log. */
  cutOff(code: 'REVOKED' | 'EXPIRED_AUTH', isOver: (principal: Principal) => boolean): void {
    for (const [record, cut] of this.#live) {
      if (record.principal === undefined || !isOver(record.principal)) continue
      record.code = code
      cut()
    }
  }

  /** Ends everything but requests that are no upgrades: those end with their server. */
  close(): void {
    for (const socket of this.#upgraded) socket.destroy()
    this.#exchanger.kept.destroy()
    this.#options.uplinks.close()
  }

  async #passTls(host: string, route: Route, socket: Socket): Promise<void> {
    const { clock, registry, uplinks } = this.#options
    const client = { address: clientAddress(socket), protocol: 'https', throughProxy: false } as const
    const record = new RequestRecord({ id: this.#nextId(), client, method: 'TLS' }, clock)
    record.host = host
    this.#begin(record, () => socket.destroy())
    this.#upgraded.add(socket)
    try {
      await passTls({ ...this.#exchanger, registry, uplinks }, socket, route, record)
    } catch (thrown) {
      this.#failed(thrown, record)
      socket.destroy()
    } finally {
      this.#upgraded.delete(socket)
      this.#finish(record)
    }
  }

  /** Undefined for what the ingress answers itself. */
  async #admit(request: IncomingMessage, record: RequestRecord, upgrading: boolean): Promise<Admitted | undefined> {
    const { routes, registry, access } = this.#options
    const destination = destinationOf(request)
    const { host, path } = destination
    record.host = host
    record.path = path
    const { servername } = request.socket as TLSSocket
    if (typeof servername === 'string' && servername !== '' && hostOf(servername) !== host) {
      throw new Failure(421, 'MISDIRECTED', 'This connection was made for another host.')
    }
    if (isLoop(request.rawHeaders)) throw new Failure(508, 'LOOP', 'This request has been here before.')
    if (path.startsWith(OWN_PATH)) return undefined
    const route = routes().find(host, path)
    if (route === undefined) throw new Failure(404, 'NO_ROUTE', 'There is nothing here.')
    record.target = route.target
    if (route.allowed !== undefined && !inRanges(route.allowed, record.client.address)) {
      throw new Failure(403, 'ADDRESS', 'The service may not be reached from this address.')
    }
    const principal = route.access === 'public' ? undefined : await access.principalOf(request, host, upgrading)
    record.principal = principal
    const agent = chooseAgent(registry, route, principal)
    record.agent = agent
    if (principal !== undefined) authorize(principal, agent, route)
    return { destination, route, agent }
  }

  #plan(request: IncomingMessage, { destination, route, agent }: Admitted, record: RequestRecord): Plan {
    const { client } = record
    const hsts = this.#hstsOf(record)
    const { target, responseTimeoutMs, idleTimeoutMs, headers } = route
    const set = headers.length === 0 ? NO_FIELDS : new Set(headers.map(([name]) => name.toLowerCase()))
    const way = {
      address: client.address,
      protocol: client.protocol,
      host: request.headers.host ?? destination.host,
      requestId: record.id,
      trusted: client.throughProxy,
    }
    const fields = requestFields(withoutOwnCookie(request.rawHeaders), way, set)
    for (const [name, value] of headers) fields.push(name, value)
    return {
      agent,
      target,
      method: request.method ?? '',
      url: destination.url,
      fields,
      responseTimeoutMs,
      idleTimeoutMs,
      record,
      answerFields: raw => responseFields(raw, isOwnCookie, hsts),
    }
  }

  #record(request: IncomingMessage): RequestRecord {
    const { clock, trusted } = this.#options
    const start = { id: this.#nextId(), client: clientOf(request, trusted), method: request.method ?? '' }
    return new RequestRecord(start, clock)
  }

  #nextId(): string {
    return `${this.#idPrefix}-${(++this.#requests).toString(36)}`
  }

  #watchFrames(token: string, { id }: RequestRecord): FrameWatch | undefined {
    const { frames, log, clock } = this.#options
    if (frames === 'off' || token.toLowerCase() !== 'websocket') return undefined
    return watchFrames(frames, id, log, clock)
  }

  #begin(record: RequestRecord, cut: () => void): void {
    this.totals.open++
    this.#live.set(record, cut)
  }

  #finish(record: RequestRecord): void {
    this.totals.open--
    this.#live.delete(record)
    this.totals.counted(record.status, record.bytesIn, record.bytesOut, record.reused)
    record.finish(this.#options.log)
  }

  #contextOf(request: IncomingMessage, record: RequestRecord): FailureContext {
    return { requestId: record.id, accept: request.headers.accept, hsts: this.#hstsOf(record) }
  }

  /** Over a connection that anybody could have changed it is not to be said (RFC 6797, 7.2). */
  #hstsOf({ client }: RequestRecord): string | undefined {
    const { hstsMs } = this.#options
    return client.protocol === 'https' && hstsMs > 0 ? `max-age=${Math.floor(hstsMs / 1000)}` : undefined
  }

  #failed(thrown: unknown, record: RequestRecord): Failure {
    const failure = failureOf(thrown)
    record.status = failure.status
    record.code = failure.code
    return failure
  }
}

function authorize(principal: Principal, agent: string, { target }: Route): void {
  if (principal.role !== 'connect' || !mayUseAgent(principal, agent) || !decideOpen(principal, target).allowed) {
    throw new TunnelError('DENIED', `the token does not allow ${formatTarget(target)}`)
  }
}

const isOwnCookie = (name: string, value: string): boolean => name === 'set-cookie' && setsOwnCookie(value)
