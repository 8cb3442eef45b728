/**
 * Opens the TCP connection from the agent to a service. Several addresses are raced as in RFC 8305, section 5: a new
 * attempt starts when the last one failed, or after 250 ms of silence while the older ones go on. Node's own
 * `autoSelectFamily` gives an attempt up after that time instead, and so never reaches a service that is merely slow.
 */
import type { Socket as UdpSocket } from 'node:dgram'
import { setMaxListeners } from 'node:events'
import net from 'node:net'
import { type Clock, systemClock } from '../clock.ts'
import { type ErrorCode, TunnelError } from '../errors.ts'
import { formatTarget, splitKind, type Target } from '../net/target.ts'
import { NO_ALIASES } from './aliases.ts'
import type { Catalogue } from './catalogue.ts'
import type { Discovery } from './discovery.ts'
import type { Policy } from './policy.ts'
import type { Address, Resolved, Resolver } from './resolver.ts'
import { connectUdp } from './udp.ts'

export interface DialerOptions {
  readonly catalogue: Catalogue
  readonly resolver: Pick<Resolver, 'resolve' | 'resolveHost'>
  readonly policy: Policy
  /** Knows where pods are, and who will not answer. */
  readonly discovery?: Pick<Discovery, 'notReady' | 'pods'>
  /** Called with one IP address. Must report failures as the socket's `error` event with the errno name in `code`. */
  readonly connect?: (options: net.TcpNetConnectOpts) => net.Socket
  readonly clock?: Clock
  /** For the whole dial: names, and all attempts. Default 10 s. */
  readonly dialTimeoutMs?: number
}

export interface Dialled {
  readonly socket: net.Socket
  /** The port that was dialled: for a port name, its number. */
  readonly port: number
}

const attemptDelayMs = 250

export class Dialer {
  readonly #catalogue: Catalogue
  readonly #resolver: DialerOptions['resolver']
  readonly #policy: Policy
  readonly #discovery: DialerOptions['discovery']
  readonly #connect: NonNullable<DialerOptions['connect']>
  readonly #clock: Clock
  readonly #timeoutMs: number

  constructor(options: DialerOptions) {
    this.#catalogue = options.catalogue
    this.#resolver = options.resolver
    this.#policy = options.policy
    this.#discovery = options.discovery
    this.#connect = options.connect ?? net.connect
    this.#clock = options.clock ?? systemClock
    this.#timeoutMs = options.dialTimeoutMs ?? 10_000
  }

  /**
   * The socket is connected, allows half-open, has `noDelay` and keep-alive after 30 s. It keeps an `error` listener that
   * does nothing, so an error before the caller listens ends no process; a caller that awaits anything else first must
   * look at `socket.destroyed`. The caller owns the socket, and `signal` has no hold on it any more.
   * @throws TunnelError BAD_TARGET, DENIED, DNS, REFUSED, PEER_RESET, UNREACHABLE, DIAL_TIMEOUT, LIMIT when the agent is
   *   out of file descriptors, GONE when `signal` aborts first; no socket is left open then
   */
  async dial(target: Target, signal: AbortSignal): Promise<Dialled> {
    return await this.#within(target, signal, async stop => {
      const { addresses, port } = await this.#resolve(target, stop)
      return { socket: await this.#race(target, addresses, port, stop), port }
    })
  }

  /**
   * A UDP socket that is connected to the service's first address: nobody answers yet that could be raced.
   * @throws TunnelError as `dial`
   */
  async dialUdp(target: Target, signal: AbortSignal): Promise<{ readonly socket: UdpSocket; readonly port: number }> {
    return await this.#within(target, signal, async stop => {
      const { addresses, port } = await this.#resolve(target, stop)
      const [address] = addresses
      if (address === undefined) throw unreached(target, [])
      const socket = await connectUdp(address, port).catch(error => {
        throw unreached(target, [failureOf(hostAndPort(address, port), error)])
      })
      return { socket, port }
    })
  }

  /** Within the time for a dial, and while `signal` does not abort. */
  async #within<T>(target: Target, signal: AbortSignal, dial: (stop: AbortSignal) => Promise<T>): Promise<T> {
    this.#policy.check(target)
    const absent = this.#catalogue.find(target) === undefined ? this.#discovery?.notReady(target) : undefined
    if (absent !== undefined) throw absent
    const stop = new AbortController()
    const giveUp = () => stop.abort(gone(target))
    const cancelDeadline = this.#clock.after(this.#timeoutMs, () => stop.abort())
    // One session's signal serves as many dials as it has streams; Node would warn of a leak at the eleventh.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      if (signal.aborted) throw gone(target)
      return await dial(stop.signal)
    } finally {
      cancelDeadline()
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #resolve(target: Target, stop: AbortSignal): Promise<Resolved> {
    try {
      const listed = this.#catalogue.find(target)
      if (listed) {
        const { addresses, port } = await this.#resolver.resolveHost(listed.host, listed.port, stop)
        return { addresses: this.#policy.checkListed(target, listed.host, addresses), port }
      }
      const { kind } = splitKind(target.service)
      const found = await (kind === undefined ? this.#resolver.resolve(target, stop) : this.#pods(target))
      const { addresses, port, aliases = NO_ALIASES } = found
      this.#policy.checkAliases(target, aliases, port)
      return { addresses: this.#policy.checkResolved(target, addresses, port), port }
    } catch (error) {
      if (!stop.aborted) throw error
      if (stop.reason instanceof TunnelError) throw stop.reason
      const message = `cannot reach ${formatTarget(target)}: DNS did not answer within ${this.#timeoutMs / 1_000} s`
      throw new TunnelError('DNS', message, { cause: error, hint: 'check the DNS of the agent', retryable: true })
    }
  }

  #pods(target: Target): Resolved {
    if (this.#discovery === undefined) {
      const message = `cannot reach ${formatTarget(target)}: the agent knows services by name, and no pods`
      throw new TunnelError('UNREACHABLE', message, { hint: 'start the agent with --discovery, or name a service' })
    }
    const pods = this.#discovery.pods(target)
    this.#policy.checkServices(target, pods.services)
    return pods
  }

  #race(target: Target, addresses: readonly Address[], port: number, stop: AbortSignal): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      const waiting = [...addresses]
      const attempts = new Map<net.Socket, string>()
      const failures: Failure[] = []
      let cancelDelay = () => {}
      const finish = () => {
        cancelDelay()
        stop.removeEventListener('abort', abort)
        for (const socket of attempts.keys()) socket.destroy()
      }
      const abort = () => {
        for (const at of attempts.values()) failures.push(unanswered(at, this.#timeoutMs))
        finish()
        reject(stop.reason instanceof TunnelError ? stop.reason : unreached(target, failures))
      }
      const next = () => {
        cancelDelay()
        const address = waiting.shift()
        if (!address) {
          if (attempts.size > 0) return
          finish()
          return reject(unreached(target, failures))
        }
        const at = hostAndPort(address, port)
        const socket = this.#attempt(address, port)
        attempts.set(socket, at)
        const failed = (error: NodeJS.ErrnoException) => {
          attempts.delete(socket)
          failures.push(failureOf(at, error))
          next()
        }
        socket.once('error', failed)
        socket.once('connect', () => {
          socket.off('error', failed)
          attempts.delete(socket)
          finish()
          resolve(socket)
        })
        if (waiting.length > 0) cancelDelay = this.#clock.after(attemptDelayMs, next)
      }
      stop.addEventListener('abort', abort, { once: true })
      next()
      if (stop.aborted) abort()
    })
  }

  #attempt({ address, family }: Address, port: number): net.Socket {
    const socket = this.#connect({
      host: address,
      port,
      family,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
    })
    socket.on('error', ignore)
    return socket
  }
}

const ignore = () => {}

const hostAndPort = ({ address, family }: Address, port: number): string =>
  family === 6 ? `[${address}]:${port}` : `${address}:${port}`

/** Why one attempt failed. */
interface Failure {
  readonly code: ErrorCode
  readonly words: string
  readonly cause?: unknown
}

/** The most telling reason first: whoever refuses is there, and silence can mean anything. */
const telling: readonly ErrorCode[] = ['LIMIT', 'PEER_RESET', 'REFUSED', 'UNREACHABLE', 'DIAL_TIMEOUT']

function failureOf(at: string, error: NodeJS.ErrnoException): Failure {
  switch (error.code) {
    case 'ECONNREFUSED':
      return { code: 'REFUSED', words: `${at} refused the connection`, cause: error }
    case 'ECONNRESET':
      return { code: 'PEER_RESET', words: `${at} reset the connection at once`, cause: error }
    case 'ETIMEDOUT':
      return { code: 'DIAL_TIMEOUT', words: `${at} did not answer`, cause: error }
    case 'EMFILE':
    case 'ENFILE':
      return { code: 'LIMIT', words: `the agent is out of file descriptors (${error.code})`, cause: error }
    default:
      return { code: 'UNREACHABLE', words: `${at} is unreachable (${error.code ?? error.message})`, cause: error }
  }
}

function unanswered(at: string, timeoutMs: number): Failure {
  return { code: 'DIAL_TIMEOUT', words: `${at} did not answer within ${timeoutMs / 1_000} s` }
}

/** Three attempts are told in full, so that the line fits into a RESET and a terminal. */
function unreached(target: Target, failures: readonly Failure[]): TunnelError {
  const sorted = [...failures].sort((a, b) => telling.indexOf(a.code) - telling.indexOf(b.code))
  const words = sorted.slice(0, 3).map(failure => failure.words)
  if (sorted.length > 3) words.push(`${sorted.length - 3} more addresses failed`)
  const first = sorted[0]
  return new TunnelError(
    first?.code ?? 'UNREACHABLE',
    `cannot reach ${formatTarget(target)}: ${words.join('; ')}`,
    first?.cause === undefined ? {} : { cause: first.cause },
  )
}

function gone(target: Target): TunnelError {
  return new TunnelError('GONE', `the dial of ${formatTarget(target)} was given up`)
}
