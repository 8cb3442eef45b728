/**
 * One carrier at the gateway, and what leaves over it: a queue for each route, served in turn, so that no session can
 * stand in front of another. The relay decides what goes where.
 */
import { type Carrier, HIGH_WATER_BYTES } from '../carrier/carrier.ts'
import { heaviestFirst } from '../net/heaviest.ts'
import { giveBackAll } from '../slab.ts'
import { messageBytes, NO_REST, setRoute } from '../wire/message.ts'
import type { Pace } from './pace.ts'
import type { Principal } from './principal.ts'
import { Published } from './published.ts'

/** A peer that keeps to maxInflight never has more than this under way on one route. */
export const MAX_QUEUE_BYTES = 8 * 1024 * 1024 + 256 * 1024
const MAX_QUEUE_MESSAGES = 16_384
/** A queued message smaller than this is copied, so that it does not pin the chunk it arrived in, which is 256 KiB at most. */
const COPY_BELOW_BYTES = 32 * 1024

/** Of all queues together. */
export class QueueMemory {
  bytes = 0
}

/** A message, and what it goes on in. */
interface Queued {
  readonly message: Buffer
  readonly rest: readonly Buffer[]
  readonly bytes: number
}

/** One end of a session's path: a route of one hop, joined to a leg of another. */
export class Leg {
  readonly hop: Hop
  readonly route: number
  /** Set when both legs exist; the two point at each other. */
  peer: Leg | undefined
  /** Of a client: the short id of the session that is attached over it. */
  session = ''
  #queue: Queued[] = []
  #head = 0
  #bytes = 0

  constructor(hop: Hop, route: number) {
    this.hop = hop
    this.route = route
  }

  get queuedMessages(): number {
    return this.#queue.length - this.#head
  }

  get queuedBytes(): number {
    return this.#bytes
  }

  /** Of whoever connects over this pairing. */
  get subject(): string {
    const client = this.hop.principal.role === 'connect' ? this.hop : this.peer?.hop
    return client?.principal.subject ?? ''
  }

  /** Returns false when the queue is full: the message is not taken. */
  push(message: Buffer, rest: readonly Buffer[]): boolean {
    const bytes = messageBytes(message, rest)
    if (this.#bytes + bytes > MAX_QUEUE_BYTES || this.queuedMessages >= MAX_QUEUE_MESSAGES) return false
    this.#bytes += bytes
    this.hop.memory.bytes += bytes
    if (bytes >= COPY_BELOW_BYTES) {
      this.#queue.push({ message, rest, bytes })
      return true
    }
    this.#queue.push({ message: Buffer.concat([message, ...rest]), rest: NO_REST, bytes })
    giveBackAll(message, rest)
    return true
  }

  shift(): Queued | undefined {
    const queued = this.#queue[this.#head]
    if (queued === undefined) return undefined
    this.#bytes -= queued.bytes
    this.hop.memory.bytes -= queued.bytes
    this.#head++
    if (this.#head === this.#queue.length) this.clear()
    else if (this.#head >= 256) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return queued
  }

  clear(): void {
    this.#queue = []
    this.#head = 0
    this.hop.memory.bytes -= this.#bytes
    this.#bytes = 0
  }
}

export interface HopOptions {
  /** Of this process itself: it neither leaves nor counts as somebody who is here. */
  readonly local?: boolean
  /** Absent: a memory of its own. */
  readonly memory?: QueueMemory
  /** Absent: nothing is too fast. */
  readonly pace?: Pace
}

export class Hop {
  readonly principal: Principal
  readonly carrier: Carrier
  readonly legs = new Map<number, Leg>()
  readonly local: boolean
  readonly memory: QueueMemory
  readonly pace: Pace | undefined
  /** What it has caused since the pace was last told. */
  work = 0
  /** Agent: tells the process from others of the same name. */
  instance = ''
  /** Agent: of processes that share new sessions; empty for one that shares with nobody. */
  group = ''
  /** Agent: takes no new sessions. */
  draining = false
  /** Agent: the services that it has told of. */
  readonly published = new Published()
  /** It was asked to come back with a new token, or came in with one that has hardly any time left. */
  toldOfExpiry = false
  /** Client: the agent that it asked for last, while that was not here. */
  awaits: string | undefined
  /** Totals for metrics. */
  receivedBytes = 0
  sentBytes = 0
  /** Legs with queued messages, in the order in which they are served. */
  readonly #waiting = new Set<Leg>()
  #nextRoute = 1

  constructor(carrier: Carrier, principal: Principal, options: HopOptions = {}) {
    const { local = false, memory = new QueueMemory(), pace } = options
    this.local = local
    this.memory = memory
    this.pace = pace
    this.carrier = carrier
    this.principal = principal
  }

  /** Legs, and what is left of retired ones that still have something to send. */
  get heldLegs(): number {
    let held = this.legs.size
    for (const leg of this.#waiting) if (this.legs.get(leg.route) !== leg) held++
    return held
  }

  /** Legs that have something to send. */
  get waiting(): ReadonlySet<Leg> {
    return this.#waiting
  }

  /** A leg on a route that the other side of the carrier has chosen. */
  addLeg(route: number): Leg {
    const leg = new Leg(this, route)
    this.legs.set(route, leg)
    return leg
  }

  /** A leg on a new route of the gateway's choosing; ids are not used twice on one carrier. */
  openLeg(): Leg {
    return this.addLeg(this.#nextRoute++)
  }

  /** Compare-and-delete: a route that was given away again is not touched. */
  removeLeg(leg: Leg): void {
    if (this.legs.get(leg.route) !== leg) return
    this.legs.delete(leg.route)
    this.#waiting.delete(leg)
    leg.clear()
  }

  /** As `removeLeg`, of one that may be retired already. */
  discardLeg(leg: Leg): void {
    this.removeLeg(leg)
    this.#waiting.delete(leg)
    leg.clear()
  }

  /** Takes no more messages for the leg; what is queued, such as its DETACH, still leaves. */
  retireLeg(leg: Leg): void {
    if (this.legs.get(leg.route) === leg) this.legs.delete(leg.route)
  }

  /** The carrier has ended: nothing of what waits will leave. */
  clear(): void {
    for (const leg of this.#waiting) leg.clear()
    this.#waiting.clear()
  }

  /**
   * Sends `message` on `leg`, or queues it behind what waits there. Rewrites the route in place and sends the same buffer.
   * Returns false when the leg's queue is full: its peer has more under way than it may.
   */
  forward(leg: Leg, message: Buffer, rest: readonly Buffer[] = NO_REST): boolean {
    setRoute(message, leg.route)
    if (leg.queuedMessages === 0 && this.carrier.bufferedBytes < HIGH_WATER_BYTES) {
      this.#pass(message, rest)
      return true
    }
    if (!leg.push(message, rest)) return false
    this.#waiting.add(leg)
    return true
  }

  /** A message of the gateway itself, ahead of all queues. */
  send(message: Buffer): void {
    this.sentBytes += message.length
    this.carrier.send(message)
  }

  /** The carrier has room: one message of each waiting leg in turn, until it is full again. */
  drain(): void {
    while (this.#waiting.size > 0) {
      for (const leg of this.#waiting) {
        if (this.carrier.bufferedBytes >= HIGH_WATER_BYTES) return
        this.#waiting.delete(leg)
        const queued = leg.shift()
        if (queued !== undefined) this.#pass(queued.message, queued.rest)
        if (leg.queuedMessages > 0) this.#waiting.add(leg)
      }
    }
  }

  #pass(message: Buffer, rest: readonly Buffer[]): void {
    this.sentBytes += messageBytes(message, rest)
    this.carrier.pass(message, rest)
  }
}

/** The longest queue of the subject which has most waiting, over all of its carriers; undefined when nothing waits. */
export function longestQueue(hops: Iterable<Hop>): Leg | undefined {
  const [longest] = heaviestFirst(
    [...hops].flatMap(({ waiting }) => [...waiting]),
    ({ subject }) => subject,
    ({ queuedBytes }) => queuedBytes,
  )
  return longest
}
