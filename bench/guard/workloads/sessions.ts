/**
 * Two sessions over a carrier in memory, and what is done with their streams. Of a stream only what any Duplex has is used,
 * beside `accept`.
 */
import { memoryLink } from '../../../src/carrier/memory.ts'
import { TunnelError } from '../../../src/errors.ts'
import { defaultLimits } from '../../../src/mux/limits.ts'
import type { Route } from '../../../src/mux/route.ts'
import { Session } from '../../../src/mux/session.ts'
import type { Stream } from '../../../src/mux/stream.ts'
import { VirtualClock } from '../../../test/support/clock.ts'

const target = { service: 'api', namespace: 'prod', port: 8080, protocol: 'tcp' }
/** One-way. Not zero, so that windows grow and acknowledgements wait as they do over a network. */
const LATENCY_MS = 1
const message = Buffer.alloc(64, 1)

class Ends {
  readonly clock = new VirtualClock()
  readonly #near: Session
  readonly #far: Session

  /** @param serve what the far end does with each stream */
  constructor(serve: (stream: Stream) => void) {
    const { clock } = this
    const onOpen = (stream: Stream) => {
      stream.accept(8080)
      serve(stream)
    }
    this.#near = new Session({ side: 'initiator', clock })
    this.#far = new Session({ side: 'acceptor', clock, onOpen })
    const { a, b } = memoryLink({ clock, latencyMs: LATENCY_MS })
    this.#near.attach(routeOver(a, this.#near), this.#far.expected, defaultLimits.maxInflightBytes)
    this.#far.attach(routeOver(b, this.#far), this.#near.expected, defaultLimits.maxInflightBytes)
  }

  open(): Stream {
    return this.#near.open(target)
  }

  get streams(): number {
    return this.#near.streams.size + this.#far.streams.size
  }

  /** Lets time pass until `done`. Throws when that never comes. */
  async until(done: () => boolean): Promise<void> {
    const { clock } = this
    const end = clock.now() + 600_000
    await clock.runUntilIdle()
    while (!done() && clock.fire(end)) await clock.runUntilIdle()
    if (!done()) throw new Error('the work was not done')
  }
}

function routeOver(carrier: ReturnType<typeof memoryLink>['a'], session: Session): Route {
  carrier.start({
    message: (message, rest) => session.message(message, rest),
    drain: () => session.drain(),
    closed: () => session.lost(new TunnelError('ROUTE_LOST', 'the carrier is gone')),
  })
  return {
    id: 1,
    get bufferedBytes() {
      return carrier.bufferedBytes
    },
    get sentBytes() {
      return carrier.sentBytes
    },
    send: (message, rest) => carrier.send(message, rest),
    wantDrain: () => {},
    close: () => {},
  }
}

const echo = (stream: Stream): void => {
  stream.on('data', chunk => stream.write(chunk))
  stream.on('end', () => stream.end())
}

/** Writes a message; calls `done` when all of it has come back, in one piece or in two. */
function exchange(stream: Stream, done: () => void): void {
  let left = message.length
  const receive = ({ length }: Buffer) => {
    left -= length
    if (left > 0) return
    stream.off('data', receive)
    done()
  }
  stream.on('data', receive)
  stream.write(message)
}

/** One stream of `chunks` chunks of 64 KiB. */
export async function bulk(chunks: number): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, 1)
  let received = 0
  const ends = new Ends(stream => stream.on('data', ({ length }: Buffer) => (received += length)))
  const stream = ends.open()
  let written = 0
  const write = () => {
    while (written < chunks) {
      written++
      if (!stream.write(chunk)) break
    }
  }
  stream.on('drain', write)
  write()
  await ends.until(() => received === chunks * chunk.length)
}

/** On each of `streams` streams, `rounds` messages of 64 bytes; each is written when the one before has come back. */
export async function interactive(streams: number, rounds: number): Promise<void> {
  let left = streams
  const ends = new Ends(echo)
  for (let opened = 0; opened < streams; opened++) {
    const stream = ends.open()
    let round = 0
    const next = () => {
      if (round++ < rounds) exchange(stream, next)
      else left--
    }
    next()
  }
  await ends.until(() => left === 0)
}

/** `count` streams, 16 at a time: opened, 64 bytes there and back, ended by both. */
export async function newStreams(count: number): Promise<void> {
  let left = count
  let opened = 0
  const ends = new Ends(echo)
  const next = () => {
    if (opened++ >= count) return
    const stream = ends.open()
    stream.on('close', () => {
      left--
      next()
    })
    exchange(stream, () => stream.end().resume())
  }
  for (let index = 0; index < 16; index++) next()
  await ends.until(() => left === 0 && ends.streams === 0)
}

/** Bytes that one stream keeps, both ends together, after it was used a little. Needs --expose-gc. */
export async function idleBytes(count: number): Promise<number> {
  const ends = new Ends(echo)
  const open = async (streams: number) => {
    let left = streams
    const exchanged = () => left--
    for (let index = 0; index < streams; index++) exchange(ends.open(), exchanged)
    await ends.until(() => left === 0)
  }
  // What the first one needs is made once.
  await open(1)
  const before = await keptBytes()
  await open(count)
  const after = await keptBytes()
  if (ends.streams !== 2 * (1 + count)) throw new Error('a stream is gone')
  return (after - before) / count
}

async function keptBytes(): Promise<number> {
  for (let index = 0; index < 4; index++) {
    globalThis.gc?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
