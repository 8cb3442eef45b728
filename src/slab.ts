/**
 * Memory for reads in bulk, which is read into again while the processor's caches still hold it (docs/decisions/0016). What is read
 * is lent: whoever keeps a part of a slab beyond the call that handed it over lends it once more, and gives it back when done. When
 * nothing of it is lent any more, the slab is used again.
 *
 * Who forgets to give back loses speed and nothing else: the slab is then never used again, and is garbage like any other. Who
 * gives back too much or too early corrupts bytes. So where it is not plain that nobody else holds a part, do not give it back.
 */

export const SLAB_BYTES = 256 * 1024
/** Slabs that are being read into, each by one socket: 16 MiB. Sockets beyond these read as Node does by itself. */
const MAX_FILLING = 64
/** Slabs that wait to be used again: 16 MiB. */
const MAX_FREE = 64

export class Slab extends ArrayBuffer {
  /** Bytes that are lent. */
  lent = 0
  /** A socket reads into it. */
  filling = true
  readonly pool: SlabPool

  constructor(bytes: number, pool: SlabPool) {
    super(bytes)
    this.pool = pool
  }
}

export class SlabPool {
  /** Called with each slab of which nothing is lent any more. For tests: what is written there must show nowhere. */
  onRecycled: ((slab: Slab) => void) | undefined
  #filling = 0
  readonly #free: Slab[] = []

  /** Slabs that are being read into. */
  get filling(): number {
    return this.#filling
  }

  /** A slab to read into, or undefined when as many are as may be. Call `leave` when no more is read into it. */
  take(): Slab | undefined {
    if (this.#filling === MAX_FILLING) return undefined
    this.#filling++
    const slab = this.#free.pop() ?? new Slab(SLAB_BYTES, this)
    slab.filling = true
    return slab
  }

  leave(slab: Slab): void {
    this.#filling--
    slab.filling = false
    if (slab.lent === 0) this.recycle(slab)
  }

  /** For `giveBack` and `leave` only. */
  recycle(slab: Slab): void {
    this.onRecycled?.(slab)
    if (this.#free.length < MAX_FREE) this.#free.push(slab)
  }
}

/** Those of this process. */
export const slabs = new SlabPool()

export const isLent = (part: Buffer): boolean => part.buffer instanceof Slab

/** Keeps the slab that `part` lies in, if it lies in one, until as many bytes are given back. */
export function lend(part: Buffer): void {
  const slab = part.buffer
  if (slab instanceof Slab) slab.lent += part.length
}

/** Ends one `lend`, or part of one: bytes that were lent as one buffer may be given back as several. */
export function giveBack(part: Buffer): void {
  const slab = part.buffer
  if (!(slab instanceof Slab)) return
  slab.lent -= part.length
  if (slab.lent === 0 && !slab.filling) slab.pool.recycle(slab)
}

/** A message, and what it goes on in. */
export function giveBackAll(first: Buffer, rest: readonly Buffer[]): void {
  giveBack(first)
  for (const part of rest) giveBack(part)
}
