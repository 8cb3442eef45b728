/** One end of a simulated connection: writes its content in odd pieces, reads the other's in odd ways, checks every byte. */
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../src/clock.ts'
import { asTunnelError, type TunnelError } from '../../src/errors.ts'
import { Lender } from '../support/lender.ts'
import { Content, type Random } from './random.ts'

export interface PartyOptions {
  readonly name: string
  readonly stream: Duplex & { readonly windowBytes?: number }
  readonly clock: Clock
  readonly random: Random
  /** Writes and reads without pauses. */
  readonly hasty: boolean
  readonly sends: { readonly key: string; readonly bytes: number }
  readonly receives: { readonly key: string; readonly bytes: number }
  /** A violated promise. */
  readonly fail: (message: string) => void
}

/** As a socket that is read in bulk lends its bytes. */
const lender = new Lender()

const SIZES = [0, 1, 2, 100, 4_095, 4_096, 16_383, 16_385, 65_536, 70_000, 262_144]

export class Party {
  received = 0
  ends = 0
  closed = false
  error: TunnelError | undefined
  readonly #options: PartyOptions
  readonly #incoming: Content
  readonly #outgoing: Content
  readonly #pauseMs: number
  #largestWindow = 0
  #sent = 0
  #writes = 0

  constructor(options: PartyOptions) {
    this.#options = options
    const { stream, random, hasty, sends, receives } = options
    this.#incoming = new Content(receives.key)
    this.#outgoing = new Content(sends.key)
    this.#pauseMs = random.pick(hasty ? [1] : [1, 50, 1_000])
    stream.on('end', () => this.#ended())
    stream.on('error', error => {
      this.error = asTunnelError(error)
    })
    stream.on('close', () => {
      this.closed = true
    })
    const odd = [this.#readPaused, this.#readInPieces, this.#readIterating]
    const read = hasty ? this.#readFlowing : random.pick([this.#readFlowing, ...odd])
    read.call(this)
    this.#write()
  }

  /** Every byte and both ends arrived, without an error. */
  get complete(): boolean {
    return this.closed && this.error === undefined && this.ends === 1 && this.received === this.#options.receives.bytes
  }

  /** What waits unread at a stream never exceeds a window that was granted. */
  check(): void {
    const { name, stream, fail } = this.#options
    this.#largestWindow = Math.max(this.#largestWindow, stream.windowBytes ?? Number.POSITIVE_INFINITY)
    if (stream.readableLength > this.#largestWindow) fail(`${name}: ${stream.readableLength} bytes wait unread`)
  }

  #write(): void {
    const { stream, random, sends, clock } = this.#options
    while (!stream.destroyed) {
      const size = Math.min(random.pick(SIZES), sends.bytes - this.#sent)
      if (this.#sent === sends.bytes) {
        stream.end()
        return
      }
      const bytes = this.#outgoing.slice(this.#sent, this.#sent + size)
      const room = stream.write(this.#writes++ % 2 === 0 ? bytes : lender.copy(bytes))
      this.#sent += size
      if (!room) {
        stream.once('drain', () => this.#write())
        return
      }
      if (random.chance(0.5)) {
        clock.after(random.below(this.#pauseMs), () => this.#write())
        return
      }
    }
  }

  #readFlowing(): void {
    this.#options.stream.on('data', chunk => this.#take(chunk))
  }

  #readPaused(): void {
    const { stream, random, clock } = this.#options
    stream.on('data', chunk => {
      this.#take(chunk)
      if (!random.chance(0.2)) return
      stream.pause()
      clock.after(random.below(random.chance(0.1) ? 5_000 : 100), () => stream.resume())
    })
  }

  #readInPieces(): void {
    const { stream, random, clock } = this.#options
    let waiting = false
    const pull = () => {
      waiting = false
      for (;;) {
        const wanted = Math.min(random.pick(SIZES) || 1, stream.readableLength || 1)
        const chunk: Buffer | null = stream.read(wanted)
        if (chunk === null) return
        this.#take(chunk)
        if (!random.chance(0.2)) continue
        waiting = true
        clock.after(random.below(100), pull)
        return
      }
    }
    stream.on('readable', () => {
      if (!waiting) pull()
    })
  }

  #readIterating(): void {
    const { stream, random, clock } = this.#options
    void (async () => {
      try {
        for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
          this.#take(chunk as Buffer)
          if (random.chance(0.2)) await new Promise<void>(resolve => clock.after(random.below(100), resolve))
        }
      } catch (thrown) {
        assert.ok(thrown instanceof Error)
      }
    })()
  }

  #take(chunk: Buffer): void {
    const { name, receives, fail } = this.#options
    if (this.ends > 0) fail(`${name}: bytes after the end`)
    if (!this.#incoming.matches(this.received, chunk)) fail(`${name}: wrong bytes at ${this.received}`)
    this.received += chunk.length
    if (this.received > receives.bytes) fail(`${name}: ${this.received} bytes of ${receives.bytes}`)
  }

  #ended(): void {
    const { name, receives, fail } = this.#options
    this.ends++
    if (this.received !== receives.bytes) fail(`${name}: ended at ${this.received} of ${receives.bytes}`)
    if (this.ends > 1) fail(`${name}: ended twice`)
  }
}
