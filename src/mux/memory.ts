/**
 * What sessions hold for readers and carriers that take nothing, kept within bounds. Windows bound each stream; here is what bounds
 * very many of them: of the owner who holds most, the streams that hold most are reset.
 */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { heaviestFirst } from '../net/heaviest.ts'
import type { Session } from './session.ts'

export interface MemoryLimits {
  /** Of one session, in bytes. */
  readonly sessionBytes: number
  /** Of all sessions together. */
  readonly totalBytes: number
}

/** A stream with its socket, beside the bytes it holds. */
const STREAM_BYTES = 8 * 1024
/** What a stream may come to hold by itself, towards the carrier. */
const NEW_STREAM_BYTES = 128 * 1024
/** A session is weighed when it may hold so much more than at the last time. */
const WEIGH_EVERY_BYTES = 8 * 1024 * 1024
/** And all are, this often: services go on writing until every buffer is full. */
const WEIGH_EVERY_MS = 5_000

interface Held {
  readonly owner: string
  bytes: number
  /** What may have come since it was weighed. */
  growth: number
}

export class SessionMemory {
  readonly #clock: Clock
  readonly #limits: MemoryLimits
  readonly #sessions = new Map<Session, Held>()
  #cancelWeighing: (() => void) | undefined

  constructor(clock: Clock, limits: MemoryLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** `session` begins, for `owner`. */
  add(session: Session, owner: string): void {
    this.#sessions.set(session, { owner, bytes: 0, growth: 0 })
    this.#cancelWeighing ??= this.#clock.after(WEIGH_EVERY_MS, this.#weighAll)
  }

  /** `session` has ended. */
  remove(session: Session): void {
    this.#sessions.delete(session)
    if (this.#sessions.size > 0) return
    this.#cancelWeighing?.()
    this.#cancelWeighing = undefined
  }

  /** So many bytes have come for readers of `session`, or a new stream has. */
  grown(session: Session, bytes: number = NEW_STREAM_BYTES): void {
    const held = this.#sessions.get(session)
    if (held === undefined) return
    held.growth += bytes
    if (held.growth < WEIGH_EVERY_BYTES) return
    this.#weigh(session, held)
    this.#keepToTotal()
  }

  #weigh(session: Session, held: Held): void {
    held.growth = 0
    held.bytes = heldIn(session)
    if (held.bytes > this.#limits.sessionBytes) held.bytes -= shed(session, held.bytes - this.#limits.sessionBytes)
  }

  #keepToTotal(): void {
    if (this.#over <= 0) return
    // What was weighed a while ago may have left since, and nobody is to pay for what he does not hold.
    for (const [session, held] of this.#sessions) held.bytes = heldIn(session)
    const heaviest = heaviestFirst(
      this.#sessions,
      ([, { owner }]) => owner,
      ([, { bytes }]) => bytes,
    )
    for (const [session, held] of heaviest) {
      if (this.#over <= 0) return
      held.bytes -= shed(session, this.#over)
      // What is kept to be sent again is freed with its session alone.
      if (this.#over > 0 && session.keptBytes > 0) session.close(tooMuch(), true)
    }
  }

  /** More than all may hold. */
  get #over(): number {
    let total = -this.#limits.totalBytes
    for (const { bytes } of this.#sessions.values()) total += bytes
    return total
  }

  readonly #weighAll = (): void => {
    for (const [session, held] of [...this.#sessions]) this.#weigh(session, held)
    this.#keepToTotal()
    if (this.#sessions.size > 0) this.#cancelWeighing = this.#clock.after(WEIGH_EVERY_MS, this.#weighAll)
  }
}

/** What is held, and the streams themselves; bytes. */
export const weightOf = (session: Pick<Session, 'keptBytes' | 'streams'>): number =>
  buffersOf(session) + session.streams.size * STREAM_BYTES

/** As `weightOf`, without the streams themselves, of which there is a limit; one that waits for its client has a budget of its own. */
const heldIn = (session: Session): number => (session.state === 'detached' ? 0 : buffersOf(session))

/** What is kept to be sent again, what waits to be sent, and what waits to be read. */
function buffersOf({ keptBytes, streams }: Pick<Session, 'keptBytes' | 'streams'>): number {
  let bytes = keptBytes
  for (const { readableLength, writableLength } of streams.values()) bytes += readableLength + writableLength
  return bytes
}

/** Resets streams, those that hold most first, until so much is free. Returns how much was. */
function shed({ streams }: Session, bytes: number): number {
  const weight = ({ readableLength, writableLength }: { readableLength: number; writableLength: number }) =>
    readableLength + writableLength
  const error = tooMuch()
  let freed = 0
  for (const stream of [...streams.values()].sort((a, b) => weight(b) - weight(a))) {
    if (freed >= bytes || weight(stream) === 0) break
    freed += weight(stream)
    stream.reset(error)
  }
  return freed
}

const tooMuch = (): TunnelError => new TunnelError('LIMIT', 'too much is held for connections that nobody reads from')
