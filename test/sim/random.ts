/** A small seeded generator (mulberry32): the same seed gives the same world. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1)
  }

  /** Uniform in [0, 1). */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}

const TABLE_BYTES = 4 * 1024 * 1024
const table = Buffer.alloc(TABLE_BYTES)
const random = new Random(0)
for (let at = 0; at < TABLE_BYTES; at += 4) table.writeUInt32LE(random.below(2 ** 32), at)

/** The bytes of one direction of one stream, known at every offset without being stored; at most 1 MiB. */
export class Content {
  readonly #from: number

  constructor(key: string) {
    let hash = 2166136261
    for (const character of key) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619)
    this.#from = (hash >>> 0) % (TABLE_BYTES - 1024 * 1024)
  }

  slice(start: number, end: number): Buffer {
    return Buffer.from(table.subarray(this.#from + start, this.#from + end))
  }

  matches(start: number, bytes: Buffer): boolean {
    return bytes.equals(table.subarray(this.#from + start, this.#from + start + bytes.length))
  }
}
