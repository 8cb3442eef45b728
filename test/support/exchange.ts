/** Bytes that go both ways over one connection, as far as the test lets them, and that must arrive once and in order. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { PATIENCE_MS } from './processes.ts'
import { pattern, within } from './sockets.ts'

const MiB = 1024 * 1024

/** One direction. Nothing is sent until `allow`. */
class Flow {
  sent = 0
  received = 0
  /** Rejects when the connection fails before everything has arrived. */
  readonly whole: Promise<void>
  readonly #totalBytes: number
  readonly #sentHash = createHash('sha256')
  readonly #receivedHash = createHash('sha256')
  #allowed = 0
  #allow: () => void = () => {}
  #goals: { at: number; reached: () => void }[] = []

  constructor(from: Socket, to: Socket, totalBytes: number, seed: number) {
    this.#totalBytes = totalBytes
    to.on('data', chunk => {
      this.received += chunk.length
      this.#receivedHash.update(chunk)
      for (const goal of this.#goals) if (this.received >= goal.at) goal.reached()
      this.#goals = this.#goals.filter(({ at }) => this.received < at)
    })
    const ended = new Promise<void>((resolve, reject) => {
      to.once('end', resolve)
      to.once('error', reject)
      to.once('close', () => reject(new Error(`closed after ${this.received} of ${totalBytes} bytes`)))
    })
    this.whole = Promise.all([this.#send(from, seed), ended]).then(() => {
      assert.equal(this.received, totalBytes)
      assert.equal(this.#receivedHash.digest('hex'), this.#sentHash.digest('hex'), 'the bytes are others')
    })
    // Whoever waits for it hears of it then.
    this.whole.catch(() => {})
  }

  allow(bytes: number): void {
    this.#allowed = Math.max(this.#allowed, bytes)
    this.#allow()
  }

  reach(at: number): Promise<void> {
    const reached = new Promise<void>(resolve => {
      if (this.received >= at) resolve()
      else this.#goals.push({ at, reached: resolve })
    })
    return Promise.race([reached, this.whole])
  }

  async #send(socket: Socket, seed: number): Promise<void> {
    const gone = new AbortController()
    socket.once('close', () => gone.abort(new Error(`closed after ${this.sent} of ${this.#totalBytes} bytes sent`)))
    for (const block of pattern(this.#totalBytes, seed)) {
      while (this.sent >= this.#allowed) {
        gone.signal.throwIfAborted()
        await new Promise<void>(resolve => {
          this.#allow = resolve
        })
      }
      this.#sentHash.update(block)
      this.sent += block.length
      if (!socket.write(block)) await once(socket, 'drain', { signal: gone.signal })
    }
    socket.end()
  }
}

export class Exchange {
  readonly #flows: readonly [Flow, Flow]
  readonly #totalBytes: number

  /** @param totalBytes each way */
  constructor(client: Socket, served: Socket, totalBytes: number) {
    this.#totalBytes = totalBytes
    this.#flows = [new Flow(client, served, totalBytes, 1), new Flow(served, client, totalBytes, 2)]
  }

  /** Lets each side send this share of its bytes, counted from the first. */
  allow(share: number): void {
    for (const flow of this.#flows) flow.allow(share * this.#totalBytes)
  }

  /** Resolves when both sides have this share of the bytes. */
  async reach(share: number, withinMs = PATIENCE_MS): Promise<void> {
    const reached = Promise.all(this.#flows.map(flow => flow.reach(share * this.#totalBytes)))
    await within(reached, `${share} of the bytes; ${this.describe()}`, withinMs).catch(thrown => {
      throw new Error(`${(thrown as Error).message}; now ${this.describe()}`)
    })
  }

  /** Resolves when everything has arrived, each byte once and in order, and both ends are closed in order. */
  async whole(withinMs = PATIENCE_MS): Promise<void> {
    await within(Promise.all(this.#flows.map(({ whole }) => whole)), 'end of the transfer', withinMs)
  }

  describe(): string {
    const [up, down] = this.#flows.map(({ sent, received }) => [received, sent].map(bytes => (bytes / MiB).toFixed(1)))
    return `up ${up?.join('/')} MiB, down ${down?.join('/')} MiB`
  }
}
