/**
 * Reads a socket to its end. Node reads into 64 KiB of new memory each time, which serves requests well and costs an idle socket
 * nothing. A socket with bulk goes over to slabs (slab.ts), which are four times as large, and warm in the caches.
 */
import type { Socket } from 'node:net'
import { lend, SLAB_BYTES, type Slab, type SlabPool, slabs } from '../slab.ts'

/** A read of this much is a large one; a TLS record does not hold more. */
const LARGE_READ_BYTES = 16 * 1024
/** So many large reads in a row are bulk, so many small ones its end. */
const LARGE_READS_OF_BULK = 8
const SMALL_READS_OF_IDLE = 256
/**
 * What sockets with bulk read together in one turn of the event loop, as far as that leaves each LEAST_ROOM_BYTES: everybody else
 * waits for it.
 */
const TURN_BYTES = 1024 * 1024
/** A slab with less room than this is left for another. */
const LEAST_ROOM_BYTES = 64 * 1024

/**
 * Calls `take` with all that is read, as `data` would; `pause` and `resume` work as ever. `take` owns the chunk: it gives it back
 * when it needs it no more. Call it once, on a socket from which nothing was read yet, and that nobody else reads.
 */
export function readSocket(socket: Socket, take: (chunk: Buffer) => void, pool: SlabPool = slabs): void {
  let large = 0
  const read = (chunk: Buffer): void => {
    large = chunk.length < LARGE_READ_BYTES ? 0 : large + 1
    // Nothing may wait in the socket's own buffer: it would come behind what is read from now on.
    if (large >= LARGE_READS_OF_BULK && socket.readableLength === 0 && readIntoSlabs(socket, take, pool)) {
      socket.off('data', read)
    }
    take(chunk)
  }
  socket.on('data', read)
}

/** What Node's `onread` sets, which can only be asked for when a socket is made, and not at all of an accepted one. */
interface OnRead {
  readonly buffer: symbol
  readonly callback: symbol
  readonly generator: symbol
}

let onRead: OnRead | undefined

/** Undefined where Node does not have them any more: then sockets read as Node does by itself. */
function onReadOf(socket: Socket): OnRead | undefined {
  if (onRead !== undefined) return onRead
  const named = (name: string) => Object.getOwnPropertySymbols(socket).find(symbol => symbol.description === name)
  const [buffer, callback, generator] = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')]
  if (buffer !== undefined && callback !== undefined && generator !== undefined)
    onRead = { buffer, callback, generator }
  return onRead
}

interface Internals {
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null
  [key: symbol]: unknown
}

function readIntoSlabs(socket: Socket, take: (chunk: Buffer) => void, pool: SlabPool): boolean {
  const internals = socket as unknown as Internals
  const keys = onReadOf(socket)
  const handle = internals._handle
  if (keys === undefined || typeof handle?.useUserBuffer !== 'function') return false
  const slab = pool.take()
  if (slab === undefined) return false
  const reading = new SlabReading(slab, pool, take)
  const first = reading.next()
  internals[keys.buffer] = first
  internals[keys.callback] = reading.read
  internals[keys.generator] = reading.next
  handle.useUserBuffer(first)
  socket.once('close', () => reading.stop())
  return true
}

/** One socket's reads into slabs: `next` is where the next one goes, `read` is told of it. */
class SlabReading {
  readonly #pool: SlabPool
  readonly #take: (chunk: Buffer) => void
  #slab: Slab | undefined
  /** Bytes of it that were read into. */
  #filled = 0
  #smallReads = 0

  constructor(slab: Slab, pool: SlabPool, take: (chunk: Buffer) => void) {
    this.#slab = slab
    this.#pool = pool
    this.#take = take
  }

  /** Node asks after each read, and reads nowhere else. */
  readonly next = (): Buffer => {
    const slab = this.#roomySlab()
    if (slab === undefined) return Buffer.allocUnsafeSlow(LARGE_READ_BYTES)
    const share = Math.max(LEAST_ROOM_BYTES, TURN_BYTES / this.#pool.filling)
    return Buffer.from(slab, this.#filled, Math.floor(Math.min(SLAB_BYTES - this.#filled, share)))
  }

  readonly read = (bytes: number, buffer: Buffer): boolean => {
    const chunk = buffer.subarray(0, bytes)
    this.#filled += bytes
    this.#smallReads = bytes < LARGE_READ_BYTES ? this.#smallReads + 1 : 0
    lend(chunk)
    this.#take(chunk)
    return true
  }

  stop(): void {
    if (this.#slab !== undefined) this.#pool.leave(this.#slab)
    this.#slab = undefined
  }

  #roomySlab(): Slab | undefined {
    const slab = this.#slab
    if (slab !== undefined) {
      if (slab.lent === 0) this.#filled = 0
      const idle = this.#smallReads >= SMALL_READS_OF_IDLE
      if (!idle && SLAB_BYTES - this.#filled >= LEAST_ROOM_BYTES) return slab
      this.stop()
    }
    if (this.#smallReads > 0) return undefined
    this.#filled = 0
    this.#slab = this.#pool.take()
    return this.#slab
  }
}
