/** The ends of a simulated world: the product's own roles, over carriers in memory. */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { Agent } from '../../src/agent/agent.ts'
import { defaultAgentLimits } from '../../src/agent/limits.ts'
import type { MemoryLink } from '../../src/carrier/memory.ts'
import { TunnelError } from '../../src/errors.ts'
import type { SessionLimits } from '../../src/mux/limits.ts'
import type { MoveReason } from '../../src/mux/links.ts'
import type { Target } from '../../src/net/target.ts'
import { nullLog } from '../../src/observe/log.ts'
import { Uplink } from '../../src/uplink/uplink.ts'
import type { VirtualClock } from '../support/clock.ts'
import { AGENT, principal } from '../support/world.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'

export interface EndOptions {
  readonly name: string
  readonly clock: VirtualClock
  readonly network: Network
  readonly random: Random
  readonly limits: SessionLimits
  /** Of agents. */
  readonly detachedTtlMs: number
  readonly note: (what: string) => void
}

/** What both roles have: carriers to break, a clock that jumps, and an end. */
abstract class End {
  readonly name: string
  /** What it has dialled last. */
  carriers: MemoryLink | undefined
  running = false
  protected readonly options: EndOptions
  readonly #stop = new AbortController()
  #sleptMs = 0

  constructor(options: EndOptions) {
    this.options = options
    this.name = options.name
  }

  /** The machine was asleep: only the time of day has gone on. */
  sleep(ms: number): void {
    this.#sleptMs += ms
  }

  stop(): void {
    this.#stop.abort()
  }

  protected wallNow = (): number => this.options.clock.now() + this.#sleptMs

  protected async live(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.running = true
    try {
      await run(this.#stop.signal)
    } catch (thrown) {
      this.options.note(`${this.name} ended: ${(thrown as TunnelError).code} ${(thrown as Error).message}`)
    }
    this.running = false
  }

  protected get common() {
    const { clock, random, limits } = this.options
    return { clock, wallNow: this.wallNow, random: random.next, limits, software: 'sim' }
  }
}

export class SimClient extends End {
  readonly uplink: Uplink
  /** True once the first session was attached. */
  connected = false
  /** Why sessions were given up. */
  readonly losses: TunnelError[] = []

  constructor(options: EndOptions) {
    super(options)
    const { name, network, note } = options
    let randomCalls = 0
    const who = principal('connect', { subject: name })
    this.uplink = new Uplink({
      ...this.common,
      agent: AGENT,
      dialGateway: signal => network.dial(who, signal, carriers => (this.carriers = carriers)),
      // Not random, but different each time.
      randomBytes: bytes => createHash('sha256').update(`${name} ${randomCalls++}`).digest().subarray(0, bytes),
      pingIntervalMs: 2_000,
      holdMs: 300_000,
      events: {
        connected: () => {
          this.connected = true
        },
        resumed: gapMs => note(`${name} resumed after ${Math.round(gapMs)} ms`),
        moved: reason => note(`${name} moved: ${reason}`),
        disconnected: error => note(`${name} disconnected: ${error.code} ${error.message}`),
        notMoved: error => note(`${name} was not moved: ${error.code} ${error.message}`),
        sessionLost: error => {
          note(`${name} lost its session: ${error.code} ${error.message}`)
          this.losses.push(error)
        },
      },
    })
  }

  start(): void {
    void this.live(signal => this.uplink.run(signal))
  }

  move(reason: MoveReason): void {
    this.uplink.move(reason)
  }
}

export class SimAgent extends End {
  readonly agent: Agent
  readonly #endNow = new AbortController()
  readonly #gauges: ReadonlyMap<string, () => number>
  #dead = false

  /** @param dial reaches a service by its name */
  constructor(options: EndOptions, dial: (name: string, signal: AbortSignal) => Promise<Socket>) {
    super(options)
    const { name, network } = options
    const who = principal('agent')
    this.agent = new Agent({
      ...this.common,
      limits: { ...defaultAgentLimits, streamsPerSession: options.limits.maxStreams },
      sessionLimits: options.limits,
      name: AGENT,
      instance: name,
      dialGateway: signal => {
        if (this.#dead) return Promise.reject(new TunnelError('GATEWAY_UNREACHABLE', 'killed'))
        return network.dial(who, signal, carriers => (this.carriers = carriers))
      },
      dialer: {
        dial: async ({ service }: Target, signal: AbortSignal) => ({ socket: await dial(service, signal), port: 80 }),
        dialUdp: () => Promise.reject(new TunnelError('BAD_TARGET', 'there is no UDP in this world')),
      },
      log: nullLog,
      detached: { ttlMs: options.detachedTtlMs, budgetBytes: Number.POSITIVE_INFINITY },
      drainTimeoutMs: 3_000,
      endNow: this.#endNow.signal,
    })
    this.#gauges = new Map(this.agent.metrics().map(({ name, read }) => [name, read]))
  }

  start(): void {
    void this.live(signal => this.agent.run(signal))
  }

  /** kill -9: nobody is told. */
  kill(): void {
    this.#dead = true
    this.carriers?.cut()
    this.#endNow.abort()
    this.stop()
  }

  gauge(name: 'sessions' | 'streams' | 'kept_bytes'): number {
    return this.#gauges.get(name)?.() ?? Number.NaN
  }
}
