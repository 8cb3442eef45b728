/**
 * A TCP relay on loopback that treats the bytes between a port of its own and a target port badly, in ways that change
 * while it runs. It alters and reorders nothing: what it does to a connection, a network can do too.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { addAbortSignal, Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { abort } from '../../src/net/splice.ts'
import { Random } from '../sim/random.ts'
import type { Scope } from './tunnel.ts'

/** How bytes pass, in both directions of every connection. What is not given does not happen. */
export interface Toxics {
  readonly latencyMs?: number
  /** Added to the latency, uniform in [0, this); bytes stay in order. */
  readonly jitterMs?: number
  readonly bytesPerSecond?: number
  /** Bytes pass in pieces of 1 to this many. */
  readonly sliceBytes?: number
}

export interface Cut {
  /** RST to both sides, by which a slow receiver loses bytes that the relay has passed; or FIN to both. */
  readonly how: 'reset' | 'limit'
  /** `up` is from who dialled the relay to the target. */
  readonly direction: 'up' | 'down'
  /** The connection that carries the last of these bytes, counted from now, is cut behind exactly that byte. */
  readonly afterBytes: number
}

interface ArmedCut extends Cut {
  left: number
  readonly struck: () => void
}

/** Reads of at most 64 KiB that wait in one direction of a connection; then the sender waits. */
const MAX_QUEUED_READS = 16

export class ToxicRelay {
  readonly #connections = new Set<Connection>()
  readonly #random: Random
  #port = 0
  #toxics: Toxics = {}
  #swallowsNew = false
  #cuts: ArmedCut[] = []

  private constructor(seed: number) {
    this.#random = new Random(seed)
  }

  static async start(scope: Scope, target: number, seed = 1): Promise<ToxicRelay> {
    const relay = new ToxicRelay(seed)
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => relay.#accept(socket, target))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    scope.after(() => {
      server.close()
      relay.reset()
    })
    const address = server.address()
    if (typeof address === 'object' && address !== null) relay.#port = address.port
    return relay
  }

  get port(): number {
    return this.#port
  }

  /** Connections of which a side is still open. */
  get connections(): number {
    return this.#connections.size
  }

  /** In place of the toxics before. */
  set(toxics: Toxics): void {
    this.#toxics = toxics
  }

  /** Resets every connection, also those in a black hole. */
  reset(): void {
    for (const connection of this.#connections) connection.reset()
  }

  /** Cuts one connection, once. Resolves when that has happened. */
  cut(cut: Cut): Promise<void> {
    return new Promise(struck => this.#cuts.push({ ...cut, left: cut.afterBytes, struck }))
  }

  /** Connections stay open, nothing passes, and nobody is told anything, not even that the other side has gone. */
  blackHole({ newToo }: { readonly newToo: boolean }): void {
    this.#swallowsNew = newToo
    for (const connection of this.#connections) connection.hold()
  }

  /** Everything that black holes have swallowed comes out. */
  heal(): void {
    this.#swallowsNew = false
    for (const connection of this.#connections) connection.release()
  }

  /** For a connection: when bytes that arrive now may leave. */
  dueAt(): number {
    const { latencyMs = 0, jitterMs = 0 } = this.#toxics
    return performance.now() + latencyMs + jitterMs * this.#random.next()
  }

  /** For a connection: how many of `bytes` pass as one piece, how long that takes, and the cut behind them. */
  piece(direction: Cut['direction'], bytes: number): { bytes: number; ms: number; cut: ArmedCut | undefined } {
    const { sliceBytes, bytesPerSecond = Number.POSITIVE_INFINITY } = this.#toxics
    const cuts = this.#cuts.filter(cut => cut.direction === direction)
    const piece = Math.min(
      sliceBytes === undefined ? bytes : Math.min(bytes, 1 + this.#random.below(sliceBytes)),
      // Short enough that a change of the rate is soon felt.
      Math.ceil(bytesPerSecond / 10),
      ...cuts.map(({ left }) => left),
    )
    for (const cut of cuts) cut.left -= piece
    const due = cuts.find(({ left }) => left === 0)
    this.#cuts = this.#cuts.filter(cut => cut !== due)
    return { bytes: piece, ms: (piece * 1000) / bytesPerSecond, cut: due }
  }

  #accept(socket: Socket, target: number): void {
    const connection = new Connection(this, socket, target, () => this.#connections.delete(connection))
    this.#connections.add(connection)
    if (this.#swallowsNew) connection.hold()
  }
}

class Connection {
  readonly #relay: ToxicRelay
  readonly #sides: readonly [client: Socket, target: Socket]
  /** Aborted when no more bytes pass: a side is gone, or it was cut. */
  readonly #over = new AbortController()
  /** Pending while it is in a black hole. */
  #held: Promise<void> | undefined
  #release: () => void = () => {}

  constructor(relay: ToxicRelay, client: Socket, port: number, gone: () => void) {
    const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.#relay = relay
    this.#sides = [client, target]
    for (const side of this.#sides) {
      side.on('error', () => {})
      side.on('close', () => (client.closed && target.closed ? gone() : void this.#lost(side)))
    }
    void this.#flow(client, target, 'up')
    void this.#flow(target, client, 'down')
  }

  hold(): void {
    this.#held ??= new Promise(resolve => {
      this.#release = resolve
    })
  }

  release(): void {
    this.#held = undefined
    this.#release()
  }

  reset(): void {
    this.#over.abort()
    this.release()
    for (const side of this.#sides) abort(side)
  }

  /** One side has closed before the other: in order when both have ended, else the other is reset too. */
  async #lost(side: Socket): Promise<void> {
    await this.#held
    if (!side.readableEnded || !side.writableFinished) this.reset()
  }

  async #flow(from: Socket, to: Socket, direction: Cut['direction']): Promise<void> {
    const { signal } = this.#over
    const arrivals = new Transform({
      readableObjectMode: true,
      readableHighWaterMark: MAX_QUEUED_READS,
      transform: (bytes: Buffer, _encoding, done) => done(null, { bytes, dueAt: this.#relay.dueAt() }),
    })
    addAbortSignal(signal, from.pipe(arrivals))
    let freeAt = 0
    try {
      for await (const { bytes, dueAt } of arrivals as AsyncIterable<{ bytes: Buffer; dueAt: number }>) {
        await until(dueAt, signal)
        for (let start = 0; start < bytes.length; ) {
          const piece = this.#relay.piece(direction, bytes.length - start)
          freeAt = Math.max(performance.now(), freeAt) + piece.ms
          await until(freeAt, signal)
          await this.#held
          const end = start + piece.bytes
          // Waiting until the kernel has it: what it does not have would be lost in a reset.
          if (!to.write(bytes.subarray(start, end)) || piece.cut !== undefined) await written(to)
          if (piece.cut !== undefined) return this.#strike(piece.cut)
          start = end
        }
      }
      await this.#held
      to.end()
    } catch {
      // The connection is over, and its sides are told of it where that was found.
    }
  }

  #strike(cut: ArmedCut): void {
    this.#over.abort()
    if (cut.how === 'reset') this.reset()
    else for (const side of this.#sides) side.unpipe().resume().end()
    cut.struck()
  }
}

/** Resolves when all that was written has been handed to the kernel, or never will be. */
const written = (to: Socket): Promise<void> => new Promise(resolve => to.write('', () => resolve()))

async function until(at: number, signal: AbortSignal): Promise<void> {
  const ms = at - performance.now()
  // No timer takes less than a millisecond; what a rate is owed adds up until it is worth one.
  if (ms >= 1) await sleep(ms, undefined, { signal })
}
