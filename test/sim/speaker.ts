/** One end of a scripted stream: says what it is told to, and holds what it hears against what it should hear. */
import { asTunnelError, type ErrorCode } from '../../src/errors.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { Content } from './random.ts'

export class Speaker {
  readonly stream: Stream
  received = 0
  sent = 0
  ends = 0
  closed = false
  error: ErrorCode | undefined
  wrong: string | undefined
  readonly #says: Content
  readonly #hears: Content

  /** @param name of the stream: both ends derive from it what each of them says */
  constructor(name: string, side: 'client' | 'service', stream: Stream) {
    this.stream = stream
    this.#says = new Content(`${name} ${side}`)
    this.#hears = new Content(`${name} ${side === 'client' ? 'service' : 'client'}`)
    stream.on('error', error => {
      this.error = asTunnelError(error).code
    })
    stream.on('close', () => {
      this.closed = true
    })
  }

  say(bytes: number): void {
    this.stream.write(this.#says.slice(this.sent, this.sent + bytes))
    this.sent += bytes
  }

  end(): void {
    this.stream.end()
  }

  /** @param heard called after each piece, with the bytes so far */
  listen(heard: (received: number) => void = () => {}, ended: () => void = () => {}): void {
    this.stream.on('data', (chunk: Buffer) => {
      if (this.ends > 0) this.wrong ??= 'bytes after the end'
      if (!this.#hears.matches(this.received, chunk)) this.wrong ??= `wrong bytes at ${this.received}`
      this.received += chunk.length
      heard(this.received)
    })
    this.stream.on('end', () => {
      if (this.ends++ > 0) this.wrong ??= 'a second end'
      ended()
    })
  }

  /** How it stands, in one line: what a whole run is compared by. */
  get outcome(): string {
    if (this.wrong !== undefined) return this.wrong
    if (!this.closed) return `open after ${this.received} bytes`
    return this.error === undefined ? `${this.received} bytes, ${this.ends} end` : `reset with ${this.error}`
  }
}
