/** Where the ends of a simulated world dial: one or two gateways behind one name, of which each may go and come again. */
import { type MemoryCarrier, type MemoryLink, memoryLink } from '../../src/carrier/memory.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import type { VirtualClock } from '../support/clock.ts'
import { WorldGateway } from '../support/world.ts'
import type { Random } from './random.ts'

interface Site {
  gateway: WorldGateway
  /** Undefined while it is down. */
  carriers: Set<MemoryLink> | undefined
}

const MAX_DRAIN_MS = 4_000

export class Network {
  /** Gateways that drain, beside those that are dialled. */
  readonly #leaving = new Set<WorldGateway>()
  readonly #sites: Site[]
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #latencyMs: number
  /** The chance that a dial goes wrong. */
  trouble = 0

  constructor(clock: VirtualClock, random: Random, options: { gateways: number; latencyMs: number }) {
    this.#clock = clock
    this.#random = random
    this.#latencyMs = options.latencyMs
    // The second one comes up later.
    this.#sites = Array.from({ length: options.gateways }, (_, index) => ({
      gateway: new WorldGateway(clock),
      carriers: index === 0 ? new Set<MemoryLink>() : undefined,
    }))
  }

  /** From now on every gateway can be dialled, and dials go wrong by `trouble`. */
  open(trouble: number): void {
    this.trouble = trouble
    for (const site of this.#sites) site.carriers ??= new Set()
  }

  get gateways(): WorldGateway[] {
    return [...this.#sites.map(({ gateway }) => gateway), ...this.#leaving]
  }

  /** @param dialled is given the carriers of each dial that works, for whoever wants to break them */
  async dial(who: Principal, signal: AbortSignal, dialled: (carriers: MemoryLink) => void): Promise<MemoryCarrier> {
    await this.#pass(this.#random.below(2 * this.#latencyMs + 1))
    if (signal.aborted) throw new TunnelError('GONE', 'the dial was given up')
    const bad = this.#random.chance(this.trouble)
    if (bad && this.#random.chance(0.3)) await this.#hang(signal)
    const open = this.#sites.filter(({ carriers }) => carriers !== undefined)
    if (open.length === 0 || (bad && this.#random.chance(0.5)))
      throw new TunnelError('GATEWAY_UNREACHABLE', 'nobody listens')
    const { gateway, carriers } = this.#random.pick(open)
    const link = memoryLink({ clock: this.#clock, latencyMs: this.#latencyMs })
    carriers?.add(link)
    gateway.accept(link.b, who)
    dialled(link)
    if (bad) this.#clock.after(this.#random.below(5 * this.#latencyMs + 2), () => link.cut())
    return link.a
  }

  /** kill -9: every carrier is cut, and another process, which knows nothing, takes its place after `awayMs`. */
  kill(awayMs: number): void {
    const site = this.#random.pick(this.#sites)
    const { carriers } = site
    if (carriers === undefined) return
    site.carriers = undefined
    for (const each of carriers) each.cut()
    this.#clock.after(awayMs, () => {
      site.gateway = new WorldGateway(this.#clock)
      site.carriers = new Set()
    })
  }

  /** SIGTERM, with a successor that listens at once. */
  drain(): void {
    const site = this.#random.pick(this.#sites)
    if (site.carriers === undefined) return
    const { gateway } = site
    this.#leaving.add(gateway)
    site.gateway = new WorldGateway(this.#clock)
    site.carriers = new Set()
    const timeoutMs = this.#random.below(MAX_DRAIN_MS)
    void gateway.reception.drain(timeoutMs, new AbortController().signal).then(() => {
      gateway.reception.close()
      this.#leaving.delete(gateway)
    })
  }

  #pass(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }

  /** As a network that swallows packets: the dial's own patience ends it. */
  #hang(signal: AbortSignal): Promise<never> {
    return new Promise((_resolve, reject) => {
      const give = () => {
        cancel()
        reject(new TunnelError('GATEWAY_UNREACHABLE', 'no answer'))
      }
      const cancel = this.#clock.after(10_000, give)
      signal.addEventListener('abort', give, { once: true })
    })
  }
}
