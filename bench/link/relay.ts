/**
 * A link that TCP connections go through: delay, bandwidth, a queue that is finite, and stalls (profile.ts). All of
 * its connections share the two lanes, as all connections of a user share the line.
 *
 * What it keeps to: a byte waits for exactly half the round-trip time after it has left the bandwidth stage, and up to
 * about a millisecond more, for Node's timers; the delay never bounds what is under way. When the queue has no room for
 * what a socket brings, the relay does not read it, as TCP stops to send when a router has no more room. A connection
 * takes one round trip before its first byte moves. A FIN or a reset keeps its place behind the bytes before it.
 *
 * What it leaves out: loss, headers, and TCP's own slow start, for TCP ends here at either side. What it cannot take
 * away: the buffers of the kernel beside the queue. The relay never reads more than the queue has room for, but what it
 * leaves unread stays in the kernel, 64 KiB and more in its own socket and up to a few MiB in that of the sender, and
 * Node can bound neither. No router has the former. What shares a connection with bulk waits for both.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../src/clock.ts'
import { Lane, type Sender } from './lane.ts'
import type { Profile } from './profile.ts'
import { Stalls, seeded } from './stalls.ts'

/** What the far socket may hold unsent before the near one is not read any more: its reader is slow, not the link. */
const unsentBytes = 64 * 1024
const nothing = Buffer.alloc(0)

export class Relay {
  readonly #up: Lane
  readonly #down: Lane

  /** @param seed of the stalls */
  constructor({ bitsPerSecond, roundTripMs, stall }: Profile, clock: Clock, seed: number) {
    const stalls = stall && new Stalls(stall, clock.now(), seeded(seed))
    const ofLink: Clock = stalls ? { ...clock, now: () => stalls.linkTime(clock.now()) } : clock
    const options = { bitsPerSecond, delayMs: roundTripMs / 2 }
    this.#up = new Lane(options, ofLink)
    this.#down = new Lane(options, ofLink)
  }

  /** A server, not listening yet, whose connections lead to a loopback port. */
  server(to: number): Server {
    return createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, near => {
      near.on('error', () => undefined)
      this.#up.mark(() => {
        if (!near.destroyed) this.#dial(near, to)
      })
    })
  }

  #dial(near: Socket, to: number): void {
    const far = connect({ port: to, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const refused = () => this.#down.mark(() => reset(near))
    far.once('error', refused)
    far.once('connect', () => {
      far.off('error', refused)
      forward(far, near, this.#down)
      this.#down.mark(() => forward(near, far, this.#up))
    })
  }
}

/** Moves what `source` sends to `target`, with its end or its reset. */
function forward(source: Socket, target: Socket, lane: Lane): void {
  /** Read, and not in the queue yet. */
  let pending: Buffer = nothing
  let waits = false
  let ended = false
  /** What it brought the last time. */
  let read = 0
  let asks = false
  const mayRead = () => target.writableLength <= unsentBytes
  const more = () => {
    if (waits || asks || !mayRead()) return
    asks = true
    // Twice, for a socket brings up to two pieces before it pauses.
    lane.whenRoom(2 * read, () => {
      asks = false
      if (mayRead()) source.resume()
    })
  }
  const end = () => lane.mark(() => target.end())
  const sender: Sender = {
    give: bytes => {
      const given = pending.subarray(0, bytes)
      pending = pending.subarray(given.length)
      waits = given.length > 0
      if (!waits && ended) end()
      more()
      return given
    },
    arrive: bytes => {
      if (target.destroyed) return
      target.write(bytes)
      if (!mayRead()) source.pause()
    },
  }
  source.on('data', (chunk: Buffer) => {
    pending = chunk
    read = chunk.length
    waits = true
    source.pause()
    lane.enlist(sender)
  })
  target.on('drain', more)
  source.on('end', () => {
    ended = true
    if (!waits) end()
  })
  source.on('error', () => undefined)
  const lost = () => {
    pending = nothing
    lane.mark(() => reset(target))
  }
  source.on('close', hadError => {
    if (hadError || !ended) lost()
  })
  if (source.destroyed) lost()
  else more()
}

function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy()
}
