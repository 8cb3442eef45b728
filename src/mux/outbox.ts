/**
 * The sending half of a session: gathers frames into batches, numbers and keeps them until the peer acknowledges, and
 * hands them to the route as fast as the carrier takes them.
 *
 * Invariants
 *   I1  A batch is kept from the moment it gets its sequence number until the peer acknowledges it.
 *   I2  Kept bytes never exceed maxInflight. Full means wait.
 *   I4  Control frames wait for I2 alone; data waits for the carrier too, so it never stands in front of them. Data of a
 *       stream that has more than a little also waits while as much is under way as the path is worth (inflight.ts).
 */
import { HIGH_WATER_BYTES } from '../carrier/carrier.ts'
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { BATCH_TARGET_BYTES, BatchBuilder } from '../wire/batch.ts'
import { FrameType } from '../wire/frame.ts'
import { setRoute } from '../wire/message.ts'
import { Inflight } from './inflight.ts'
import { ReplayBuffer } from './replay.ts'
import type { Route } from './route.ts'
import { Scheduler, type Sender } from './scheduler.ts'

/** Data leaves this much of maxInflight to control frames, so that a full buffer never holds back credit. */
const CONTROL_RESERVE_BYTES = 2 * BATCH_TARGET_BYTES
const LINGER_MS = 1
const TURNS_UNDER_WAY = 8
const LEAST_TURN_BYTES = 8 * 1024
/**
 * Data waits, and gathers, while this many batches are kept: tiny ones cost more than their bytes, and the relay's queue is
 * bounded in messages too.
 */
const MAX_KEPT_BATCHES = 8_192

export class Outbox {
  readonly #clock: Clock
  readonly #replay = new ReplayBuffer()
  readonly #builder = new BatchBuilder()
  readonly #inflight = new Inflight()
  readonly #scheduler = new Scheduler(little => this.#room(little))
  /** The acknowledgement that leaves with every batch. */
  readonly #takeAck: () => number
  /** Round-trip time of the path without queues. */
  readonly #pathMs: () => number | undefined
  #route: Route | undefined
  #maxInflightBytes = 0
  /** Sequence number of the next batch to go out on this route; behind the newest while a resume catches up. */
  #cursor = 0
  #flushDeferred = false
  #lingering = false
  /** Wait for the moment when everything is acknowledged. */
  #deliveryWaiters: (() => void)[] = []

  constructor(clock: Clock, takeAck: () => number, pathMs: () => number | undefined) {
    this.#clock = clock
    this.#takeAck = takeAck
    this.#pathMs = pathMs
  }

  /** Bytes kept for a resume. */
  get keptBytes(): number {
    return this.#replay.bytes
  }

  /** Everything below this sequence number has arrived at the peer. */
  get acknowledged(): number {
    return this.#replay.acknowledged
  }

  /** Bytes of frames that wait for the end of the turn, for room among the kept ones, or for a route. */
  get gatheredBytes(): number {
    return this.#builder.bytes
  }

  /**
   * Goes on over `route`: forgets what the peer has and sends the rest again before anything new. `peerExpected` may be
   * older than an acknowledgement that came over the previous route while this one was made: the higher number holds.
   * @throws TunnelError DESYNC when the peer expects what was never sent
   */
  attach(route: Route, peerExpected: number, maxInflightBytes: number): void {
    if (peerExpected > this.#replay.nextSeq) {
      throw new TunnelError('DESYNC', `the peer expects batch ${peerExpected}, which was never sent`)
    }
    this.#replay.forgetRoute()
    this.#replay.acknowledge(peerExpected, 0)
    this.#inflight.reset()
    this.#route = route
    this.#maxInflightBytes = maxInflightBytes
    this.#cursor = this.#replay.acknowledged
    this.drain()
  }

  /** Keeps everything and sends nothing until the next `attach`. */
  detach(): void {
    this.#route = undefined
  }

  clear(): void {
    this.detach()
    this.#scheduler.clear()
    this.#replay.clear()
    this.#tellDelivered()
  }

  /** A control frame, or data that the scheduler let through: leaves at the end of this turn, or as a full batch. */
  frame(type: number, stream: number, payload: Buffer | null): void {
    this.#builder.add(type, stream, payload)
    if (this.#builder.bytes >= this.#turnBytes) return this.#flush()
    if (this.#flushDeferred) return
    this.#flushDeferred = true
    this.#clock.defer(type === FrameType.OPEN ? this.#oneMoreTurn : this.#deferredFlush)
  }

  /** A frame that nobody waits for: it leaves with whatever leaves next, or after LINGER_MS. */
  lingeringFrame(type: number, stream: number, payload: Buffer | null): void {
    this.#builder.add(type, stream, payload)
    if (this.#flushDeferred || this.#lingering) return
    this.#lingering = true
    this.#clock.after(LINGER_MS, this.#lingered)
  }

  /** `sender` has data and credit; it is served in its turn. */
  ready(sender: Sender): void {
    this.#scheduler.ready(sender)
    this.#wantDrain()
  }

  remove(sender: Sender): void {
    this.#scheduler.remove(sender)
  }

  /** @throws TunnelError PROTOCOL when the peer acknowledges what was never sent */
  acknowledge(ack: number): void {
    const before = this.#replay.bytes
    const route = this.#route
    if (!this.#replay.acknowledge(ack, route === undefined ? 0 : route.sentBytes - route.bufferedBytes)) return
    this.#inflight.acknowledged(ack, before - this.#replay.bytes, this.#clock.now(), this.#pathMs())
    this.#cursor = Math.max(this.#cursor, ack)
    if (this.#isDelivered) this.#tellDelivered()
    if (this.#builder.bytes > 0 && !this.#flushDeferred) this.#flush()
    this.#scheduler.pump()
    this.#wantDrain()
  }

  /** Resolves when the peer has acknowledged all that was gathered and sent, or there is nobody left to do so. */
  delivered(): Promise<void> {
    if (this.#isDelivered) return Promise.resolve()
    return new Promise(resolve => this.#deliveryWaiters.push(resolve))
  }

  /** Sends what is gathered now, as far as I2 allows, without waiting for the end of the turn. */
  flush(): void {
    this.#flush()
  }

  /** The carrier has room again. */
  drain(): void {
    this.#flush()
    this.#scheduler.pump()
    this.#wantDrain()
  }

  /** The first bytes of a new connection are read in the turn after it was accepted: let them leave with their OPEN. */
  readonly #oneMoreTurn = (): void => {
    this.#clock.defer(this.#deferredFlush)
  }

  readonly #lingered = (): void => {
    this.#lingering = false
    this.drain()
  }

  readonly #deferredFlush = (): void => {
    this.#flushDeferred = false
    // Data that stopped at the gathered bytes may go on now; the carrier tells only when it was full itself.
    this.drain()
  }

  /** Sends batches that this route has not carried yet, then what is gathered. */
  #flush(): void {
    const route = this.#route
    if (route === undefined) return
    while (this.#cursor < this.#replay.nextSeq) {
      if (route.bufferedBytes >= HIGH_WATER_BYTES) return route.wantDrain()
      this.#resend(route)
    }
    for (let bytes = this.#builder.nextBytes(); bytes > 0; bytes = this.#builder.nextBytes()) {
      if (this.#replay.bytes + bytes > this.#maxInflightBytes) return
      const rest: Buffer[] = []
      this.#inflight.sent(this.#cursor, bytes, this.#clock.now())
      const first = this.#builder.encode(route.id, this.#cursor++, this.#takeAck(), rest)
      const kept = { first, rest, bytes, leavesAt: Number.POSITIVE_INFINITY }
      this.#replay.push(kept)
      route.send(first, rest)
      kept.leavesAt = route.sentBytes
    }
  }

  /** A copy of the head goes out: the kept one may still be queued, with its old route, on a carrier that is dying. */
  #resend(route: Route): void {
    const kept = this.#replay.at(this.#cursor++)
    if (kept === undefined) return
    const copy = Buffer.from(kept.first)
    setRoute(copy, route.id)
    route.send(copy, kept.rest)
  }

  /** What is sent in one turn. On a slow path a keystroke waits for the rest of one batch, so there they are smaller. */
  get #turnBytes(): number {
    const share = Math.floor(this.#limitBytes / TURNS_UNDER_WAY)
    return Math.max(LEAST_TURN_BYTES, Math.min(BATCH_TARGET_BYTES, share))
  }

  get #limitBytes(): number {
    return this.#inflight.limitBytes(this.#pathMs())
  }

  #room(little: boolean): number {
    if (this.#route === undefined || this.#cursor < this.#replay.nextSeq) return 0
    if (this.#replay.batches >= MAX_KEPT_BATCHES) return 0
    const gathered = this.#builder.bytes
    if (this.#route.bufferedBytes + gathered >= HIGH_WATER_BYTES) return 0
    const underWay = this.#replay.bytes + gathered
    if (underWay >= this.#maxInflightBytes - CONTROL_RESERVE_BYTES) return 0
    if (little || underWay < this.#limitBytes) return this.#turnBytes
    this.#inflight.held()
    return 0
  }

  get #isDelivered(): boolean {
    return this.#replay.bytes === 0 && this.#builder.bytes === 0
  }

  #tellDelivered(): void {
    const waiters = this.#deliveryWaiters
    this.#deliveryWaiters = []
    for (const resolve of waiters) resolve()
  }

  #wantDrain(): void {
    if (this.#scheduler.waiting > 0) this.#route?.wantDrain()
  }
}
