/** Reads the first bytes of connections until somebody can say where they belong, and puts them back. */
import type { Socket } from 'node:net'
import type { Clock } from '../../clock.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'

export interface Passage {
  /** So many of the bytes seen are not put back. */
  readonly consumed: number
  /** Gets the socket as if nobody had read from it: it does not flow, and does when `data` is listened to. */
  readonly go: (socket: Socket) => void
}

export interface PrereadOptions {
  readonly clock: Clock
  readonly deadlineMs: number
  /** One more, and the oldest is given up: it had the most time. */
  readonly maxSockets: number
  /** Told of each socket that is given up, before it is destroyed; not of those whose client leaves. */
  readonly refused: (socket: Socket, error: TunnelError) => void
}

export class Preread {
  readonly #options: PrereadOptions
  /** What gives each of them up, the oldest first. */
  readonly #waiting = new Set<(error?: TunnelError) => void>()

  constructor(options: PrereadOptions) {
    this.#options = options
  }

  get sockets(): number {
    return this.#waiting.size
  }

  /**
   * Calls `examine` with all bytes seen so far, each time there are more. Its limit is the limit of what is read: past that it
   * must not say `more`. When it throws, the socket is given up.
   * @param socket half-open, with an `error` listener, and not read by anybody
   */
  start(socket: Socket, examine: (seen: Buffer) => 'more' | Passage): void {
    const { clock, deadlineMs, maxSockets, refused } = this.#options
    const seen = new Seen()
    const stop = () => {
      cancel()
      this.#waiting.delete(giveUp)
      socket.off('readable', look).off('end', giveUpSilently).off('close', stop)
    }
    const giveUp = (error?: TunnelError) => {
      stop()
      if (error !== undefined) refused(socket, error)
      socket.destroy()
    }
    const giveUpSilently = () => giveUp()
    const look = () => {
      const chunk: Buffer | null = socket.read()
      if (chunk === null) return
      try {
        const passage = examine(seen.add(chunk))
        if (passage === 'more') return
        stop()
        letGo(socket, seen.bytes, passage)
      } catch (thrown) {
        giveUp(asTunnelError(thrown))
      }
    }
    const late = () => giveUp(new TunnelError('IDLE', `its first bytes did not come within ${deadlineMs} ms`))
    const cancel = clock.after(deadlineMs, late)
    const [oldest] = this.#waiting
    if (this.#waiting.size >= maxSockets) oldest?.(new TunnelError('LIMIT', `${maxSockets} newer ones wait as well`))
    this.#waiting.add(giveUp)
    socket.on('readable', look).on('end', giveUpSilently).on('close', stop)
  }

  /** Gives all of them up. */
  close(): void {
    for (const giveUp of this.#waiting) giveUp()
  }
}

function letGo(socket: Socket, seen: Buffer, { consumed, go }: Passage): void {
  // At once: an end that was read with them would be told before them.
  if (consumed < seen.length) socket.unshift(seen.subarray(consumed))
  // A socket that had a listener for `readable` takes a tick to forget it, and would not flow before.
  process.nextTick(() => {
    if (!socket.destroyed) go(socket)
  })
}

/** All bytes so far, in one piece. Segments may be single bytes, so its room doubles. */
class Seen {
  #room: Buffer = Buffer.alloc(0)
  bytes: Buffer = Buffer.alloc(0)

  add(chunk: Buffer): Buffer {
    const before = this.bytes.length
    const length = before + chunk.length
    // The only segment, most of the time.
    if (before === 0) this.#room = chunk
    else if (length > this.#room.length) {
      const roomier = Buffer.alloc(2 * length)
      this.bytes.copy(roomier)
      this.#room = roomier
    }
    if (before > 0) chunk.copy(this.#room, before)
    this.bytes = this.#room.subarray(0, length)
    return this.bytes
  }
}
