/** The connect role: one uplink, and what rides on it - listeners, or the process's own input and output. */
import type { Readable, Writable } from 'node:stream'
import { waitAtMost } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import type { Forward, Target } from '../net/target.ts'
import { Uplink, type UplinkOptions } from '../uplink/uplink.ts'
import type { ConnectSink, ConnectSnapshot, ForwardSnapshot, PingSnapshot, StreamSnapshot } from './events.ts'
import { type ProxyAt, ProxyForward } from './proxy.ts'
import { runStdio } from './stdio.ts'
import { TcpForward } from './tcp.ts'
import { UdpForward } from './udp.ts'

export interface ConnectOptions extends Omit<UplinkOptions, 'events'> {
  /** As shown to the user. */
  readonly gateway: string
  readonly sink: ConnectSink
  /** Default 60 s. */
  readonly udpIdleMs?: number
  /** Emits `stats` this often. Absent: never. */
  readonly statsIntervalMs?: number
}

/** What listens on this machine. */
export interface LocalForward {
  /** Where it leads, as it is shown. */
  readonly target: string
  /** Where it listens, as it is shown; the IPv4 loopback first. */
  readonly locals: readonly string[]
  listen(): Promise<void>
  snapshot(): ForwardSnapshot
  /** The connections that are open, the oldest first. */
  streams(): readonly StreamSnapshot[]
  close(): void
}

/** `connected` tells the round-trip time, but does not wait for it longer than this. */
const FIRST_PING_MS = 2_000
const UDP_IDLE_MS = 60_000

export class Connect {
  readonly #options: ConnectOptions
  readonly #uplink: Uplink
  readonly #startedAt: number
  #forwards: readonly LocalForward[] = []
  #firstConnected: () => void = () => {}

  constructor(options: ConnectOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
    this.#uplink = new Uplink({
      ...options,
      events: {
        connected: (agent, gatewaySoftware) => void this.#announce(agent, gatewaySoftware),
        resumed: gapMs => options.sink.event({ event: 'resumed', gapMs: Math.round(gapMs) }),
        moved: reason => options.sink.event({ event: 'moved', reason }),
        disconnected: error => options.sink.event({ event: 'disconnected', reason: error.message }),
        notMoved: ({ code, message, hint }) =>
          this.#report(new TunnelError(code, `not moved, the connection stays as it is: ${message}`, { hint })),
        sessionLost: error => this.#report(error),
      },
    })
  }

  /**
   * Connects, listens for every forward, and serves until `signal` aborts.
   * @param ready called once, with every forward listening; its failure ends everything
   * @throws TunnelError when the first connection fails, a port is not to be had, or a later failure will not pass
   */
  async forward(
    forwards: readonly (Forward | ProxyAt)[],
    signal: AbortSignal,
    ready?: (at: readonly LocalForward[]) => void | Promise<void>,
  ): Promise<void> {
    const { clock, sink } = this.#options
    await this.#whileConnected(signal, async ended => {
      const common = { uplink: this.#uplink, sink, clock }
      const forwardFor = (forward: Forward): LocalForward =>
        forward.target.protocol === 'udp'
          ? new UdpForward({ ...common, forward, idleMs: this.#options.udpIdleMs ?? UDP_IDLE_MS })
          : new TcpForward({ ...common, forward })
      const all: readonly LocalForward[] = forwards.map(each =>
        'proxy' in each ? new ProxyForward({ ...common, at: each }) : forwardFor(each),
      )
      const closeAll = () => {
        for (const forward of all) forward.close()
      }
      // Before the session ends, and resets their connections as if that were news.
      signal.addEventListener('abort', closeAll, { once: true })
      try {
        for (const forward of all) {
          await forward.listen()
          this.#forwards = [...this.#forwards, forward]
          for (const local of forward.locals) sink.event({ event: 'forwarding', local, target: forward.target })
        }
        await Promise.race([ready?.(all), ended])
        await ended
      } finally {
        signal.removeEventListener('abort', closeAll)
        closeAll()
      }
    })
  }

  /**
   * Connects and joins `input` and `output` to one stream. Resolves at its end.
   * @throws TunnelError as `forward`, and why the stream failed
   */
  async stdio(target: Target, io: { input: Readable; output: Writable }, signal: AbortSignal): Promise<void> {
    const { clock, holdMs } = this.#options
    await this.#whileConnected(signal, async ended => {
      try {
        await Promise.race([ended, runStdio({ stream: this.#uplink.open(target), ...io, clock })])
      } catch (thrown) {
        // What was asked to end resets its stream itself, and that is no failure.
        if (!signal.aborted) throw thrown
      }
      // The service may have ended first: our last bytes and FIN are on their way, or kept for a resume.
      if (!signal.aborted) await waitAtMost(clock, holdMs, this.#uplink.session?.delivered())
    })
  }

  /** Dials another carrier now, and goes over to it. */
  redial(): void {
    this.#uplink.move('asked')
  }

  snapshot(): ConnectSnapshot {
    const { clock, gateway } = this.#options
    const forwards = this.#forwards.map(forward => forward.snapshot())
    return {
      gateway,
      agent: this.#uplink.agent,
      state: this.#uplink.state,
      uptimeMs: clock.now() - this.#startedAt,
      resumes: this.#uplink.outage.resumes,
      ping: withDial(this.#uplink.ping, forwards),
      forwards,
    }
  }

  /** The connections of all forwards. */
  streams(): readonly StreamSnapshot[] {
    return this.#forwards.flatMap(forward => forward.streams())
  }

  /** Runs the uplink around `body`, which starts once connected and is told when the uplink has ended. */
  async #whileConnected(signal: AbortSignal, body: (ended: Promise<void>) => Promise<void>): Promise<void> {
    const own = new AbortController()
    const all = AbortSignal.any([signal, own.signal])
    const connected = new Promise<void>(resolve => {
      this.#firstConnected = resolve
    })
    const ended = this.#uplink.run(all)
    const stopStats = this.#startStats()
    try {
      await Promise.race([connected, ended])
      if (!signal.aborted) await body(ended)
    } finally {
      stopStats()
      own.abort()
      // Its failure, if it has one, is already on its way to the caller.
      await ended.catch(() => {})
    }
  }

  async #announce(agent: string, gatewaySoftware: string): Promise<void> {
    await waitAtMost(this.#options.clock, FIRST_PING_MS, this.#uplink.session?.ping.next())
    const pingMs = roundMs(this.#uplink.ping.nowMs ?? 0)
    const { gateway } = this.#options
    this.#options.sink.event({ event: 'connected', gateway, agent, pingMs, gatewaySoftware })
    this.#firstConnected()
  }

  #report({ code, message, hint }: TunnelError): void {
    this.#options.sink.event({ event: 'error', code, message, hint })
  }

  #startStats(): () => void {
    const { clock, statsIntervalMs } = this.#options
    if (statsIntervalMs === undefined) return () => {}
    const beat = () => {
      this.#stats()
      cancel = clock.after(statsIntervalMs, beat)
    }
    let cancel = clock.after(statsIntervalMs, beat)
    return () => {
      cancel()
      this.#stats()
    }
  }

  #stats(): void {
    const totals = { bytesUp: 0, bytesDown: 0, streamsOpen: 0, streamsTotal: 0 }
    for (const forward of this.#forwards) {
      const { bytesUp, bytesDown, streamsOpen, streamsTotal } = forward.snapshot()
      totals.bytesUp += bytesUp
      totals.bytesDown += bytesDown
      totals.streamsOpen += streamsOpen
      totals.streamsTotal += streamsTotal
    }
    const pingMs = this.#uplink.ping.nowMs
    this.#options.sink.event({ event: 'stats', ...totals, pingMs: pingMs === undefined ? null : roundMs(pingMs) })
  }
}

/** The worst of the forwards: the one that somebody waits for. */
function withDial(ping: PingSnapshot, forwards: readonly ForwardSnapshot[]): PingSnapshot {
  const longest = Math.max(...forwards.map(({ openMs }) => openMs ?? Number.NEGATIVE_INFINITY))
  return longest === Number.NEGATIVE_INFINITY ? ping : { ...ping, dialMs: Math.max(0, longest - (ping.nowMs ?? 0)) }
}

const roundMs = (ms: number): number => Math.round(ms * 100) / 100
