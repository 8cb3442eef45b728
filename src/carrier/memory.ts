/**
 * Two carriers joined in memory, with knobs for trouble. A real implementation of the contract: tests, the simulator and
 * benchmarks run whole worlds over it in one thread.
 */
import type { Clock } from '../clock.ts'
import { giveBackAll } from '../slab.ts'
import { messageBytes } from '../wire/message.ts'
import { type Carrier, type CarrierEnd, type CarrierHandler, HIGH_WATER_BYTES, LOW_WATER_BYTES } from './carrier.ts'

export interface MemoryLinkOptions {
  readonly clock: Clock
  /** One-way delay of each message. Default 0: delivered in the next turn. */
  readonly latencyMs?: number
}

/** What the first buffer of a message holds at least (carrier.ts). */
const LEAST_BYTES = 4 * 1024

type State = 'open' | 'closing' | 'ended'

export interface MemoryLink {
  readonly a: MemoryCarrier
  readonly b: MemoryCarrier
  /** Both ends learn at once that the link is gone; messages under way are lost. */
  cut(): void
  /** From now on nothing arrives in either direction, and nobody is told. */
  blackhole(): void
  /** Nothing arrives until `thaw`; then everything does, in order: a network that was away, or a process that stood still. */
  freeze(): void
  thaw(): void
}

export function memoryLink(options: MemoryLinkOptions): MemoryLink {
  const a = new MemoryCarrier(options)
  const b = new MemoryCarrier(options)
  a.join(b)
  b.join(a)
  return {
    a,
    b,
    cut() {
      a.terminate()
      b.terminate()
    },
    blackhole() {
      a.swallow()
      b.swallow()
    },
    freeze() {
      a.freeze()
      b.freeze()
    },
    thaw() {
      a.thaw()
      b.thaw()
    },
  }
}

export class MemoryCarrier implements Carrier {
  readonly heartbeatMs = undefined
  bufferedBytes = 0
  sentBytes = 0
  pongs = 0
  readonly #clock: Clock
  readonly #latencyMs: number
  #state: State = 'open'
  #peer: MemoryCarrier | undefined
  #handler: CarrierHandler | undefined
  /** What arrived before `start`: bounded by what the peer sends before it hears an answer. */
  #early: (Buffer | CarrierEnd)[] = []
  #swallowing = false
  /** What would have left while frozen. */
  #frozen: (() => void)[] | undefined
  #full = false
  /** What has arrived while nothing is delivered. */
  #held: (Buffer | CarrierEnd)[] | undefined

  constructor(options: MemoryLinkOptions) {
    this.#clock = options.clock
    this.#latencyMs = options.latencyMs ?? 0
  }

  join(peer: MemoryCarrier): void {
    this.#peer = peer
  }

  swallow(): void {
    this.#swallowing = true
  }

  freeze(): void {
    this.#frozen ??= []
  }

  thaw(): void {
    const frozen = this.#frozen ?? []
    this.#frozen = undefined
    for (const task of frozen) task()
  }

  start(handler: CarrierHandler): void {
    this.#handler = handler
    const early = this.#early
    this.#early = []
    for (const item of early) this.arrive(item)
  }

  send(message: Buffer, rest: readonly Buffer[] = []): void {
    this.#send(message, rest, () => {})
  }

  pass(message: Buffer, rest: readonly Buffer[]): void {
    this.#send(message, rest, () => giveBackAll(message, rest))
  }

  #send(message: Buffer, rest: readonly Buffer[], left: () => void): void {
    if (this.#state !== 'open') return
    const parts = [message, ...rest]
    const bytes = messageBytes(message, rest)
    this.bufferedBytes += bytes
    this.sentBytes += bytes
    if (this.bufferedBytes >= HIGH_WATER_BYTES) this.#full = true
    this.#later(() => {
      this.bufferedBytes -= bytes
      // The peer owns what it receives and may rewrite it. Copied this late, so that a sender who changes what is queued
      // is found out, as over a real wire.
      if (!this.#swallowing && this.#state !== 'ended') this.#peer?.arrive(Buffer.concat(parts))
      left()
      if (this.#full && this.bufferedBytes < LOW_WATER_BYTES && this.#state === 'open') {
        this.#full = false
        this.#handler?.drain()
      }
    })
  }

  hold(ms: number, more: () => number = () => 0): void {
    if (this.#held !== undefined || this.#state !== 'open') return
    this.#held = []
    const release = () => {
      const leftMs = more()
      if (leftMs > 0) return void this.#clock.after(leftMs, release)
      const held = this.#held ?? []
      this.#held = undefined
      for (const item of held) this.arrive(item)
    }
    this.#clock.after(ms, release)
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#later(() => {
      if (!this.#swallowing) this.#peer?.arrive({ code, reason })
      this.#end({ code, reason })
    })
  }

  terminate(): void {
    if (this.#state === 'ended') return
    this.#later(() => {
      if (!this.#swallowing) this.#peer?.arrive({ code: 1006, reason: '' })
    })
    this.#end({ code: 1006, reason: '' })
  }

  probe(): void {
    this.#later(() => {
      if (!this.#swallowing) this.#peer?.answer()
    })
  }

  /** For the joined carrier only: it has sent a heartbeat. */
  answer(): void {
    if (this.#state === 'ended') return
    this.#later(() => {
      if (!this.#swallowing) this.#peer?.answered()
    })
  }

  /** For the joined carrier only: it answers a heartbeat. */
  answered(): void {
    this.pongs++
  }

  #later(task: () => void): void {
    const leave = () => {
      if (this.#frozen === undefined) task()
      else this.#frozen.push(task)
    }
    if (this.#latencyMs === 0) this.#clock.defer(leave)
    else this.#clock.after(this.#latencyMs, leave)
  }

  /** For the joined carrier only. */
  arrive(item: Buffer | CarrierEnd): void {
    if (this.#state === 'ended') return
    if (this.#handler === undefined) this.#early.push(item)
    else if (this.#held !== undefined) this.#held.push(item)
    else if (Buffer.isBuffer(item)) this.#handler.message(...cut(item))
    else this.#end(item)
  }

  #end(end: CarrierEnd): void {
    if (this.#state === 'ended') return
    if (this.#handler === undefined) {
      this.#early.push(end)
      return
    }
    this.#state = 'ended'
    this.#handler.closed(end)
  }
}

/** A large message arrives in two buffers, cut anywhere, as over a real wire. */
function cut(message: Buffer): [Buffer, Buffer[]] {
  if (message.length < 2 * LEAST_BYTES) return [message, []]
  const at = LEAST_BYTES + (message.length % LEAST_BYTES)
  return [message.subarray(0, at), [message.subarray(at)]]
}
