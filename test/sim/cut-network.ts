/** The carriers between two ends and the gateway of a world, with somebody who counts messages and cuts at chosen ones. */
import type { Carrier } from '../../src/carrier/carrier.ts'
import { type MemoryCarrier, type MemoryLink, memoryLink } from '../../src/carrier/memory.ts'
import { principal, type World } from '../support/world.ts'
import { type Counts, type Cut, type Lane, noCounts } from './cut.ts'

/**
 * When the two sides of a black hole notice. First the one that hears nothing: it comes back, or says so to the far end,
 * while the other still takes the carrier for live.
 */
const FIRST_NOTICES_MS = 5_000
const SECOND_NOTICES_MS = 8_000
const LATENCY_MS = 1

export class CutNetwork {
  /** What each lane has carried since the last cut, or from the start. */
  counts: Counts = noCounts()
  readonly #world: World
  readonly #cuts: Cut[]
  readonly #heard: (lane: Lane, message: Buffer, fate: string) => void

  /** @param heard told of each message before it is delivered or lost */
  constructor(world: World, cuts: readonly Cut[], heard: (lane: Lane, message: Buffer, fate: string) => void) {
    this.#world = world
    this.#cuts = [...cuts]
    this.#heard = heard
  }

  /** Cuts that are still to come. */
  get left(): number {
    return this.#cuts.length
  }

  dial(role: 'connect' | 'agent'): Carrier {
    const link = memoryLink({ clock: this.#world.clock, latencyMs: LATENCY_MS })
    const hop = role === 'agent' ? 'agent' : 'client'
    this.#watch(link, link.b, `${hop} in`)
    this.#watch(link, link.a, `${hop} out`)
    this.#world.gateway.accept(link.b, principal(role))
    return link.a
  }

  #watch(link: MemoryLink, receiver: MemoryCarrier, lane: Lane): void {
    const arrive = receiver.arrive.bind(receiver)
    receiver.arrive = item => {
      if (!Buffer.isBuffer(item)) return arrive(item)
      const way = this.#strikes(lane)
      this.#heard(lane, item, way ?? 'delivered')
      if (way === 'hole') return this.#hole(link, receiver)
      if (way !== 'before') arrive(item)
      if (way !== undefined) link.cut()
    }
  }

  #strikes(lane: Lane): Cut['way'] | undefined {
    const index = this.counts[lane]++
    const [next] = this.#cuts
    if (next === undefined || next.lane !== lane || next.index !== index) return undefined
    this.#cuts.shift()
    this.counts = noCounts()
    return next.way
  }

  #hole(link: MemoryLink, first: MemoryCarrier): void {
    link.blackhole()
    this.#world.clock.after(FIRST_NOTICES_MS, () => first.terminate())
    this.#world.clock.after(SECOND_NOTICES_MS, () => link.cut())
  }
}
