/**
 * One connection to the echo service over which a little goes steadily: numbers that count up. What comes back is
 * compared byte by byte, so that one that is lost, doubled or out of place is seen where it happens.
 */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from './sockets.ts'

const everyMs = 5
const bytesEach = 256

export class Flow {
  readonly #socket: Socket
  readonly #pace: NodeJS.Timeout
  #sent = 0
  #received = 0
  #ended = false
  #failure: Error | undefined
  /** When bytes came, in ms since 1970, from the last `caughtUp` on. */
  #arrivals: number[] = []

  /** @param socket connected, and nothing sent or read yet */
  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => this.#take(chunk))
    socket.on('error', error => this.#fail(`the connection was lost: ${error.message}`))
    socket.on('end', () => {
      this.#ended = true
      if (!socket.writableEnded) this.#fail('the echo ended before the flow')
    })
    socket.on('close', () => {
      if (!this.#ended) this.#fail('the connection was lost')
    })
    this.#pace = setInterval(() => {
      // The way may be blocked for long; what it cannot take must not pile up here.
      if (!socket.writableNeedDrain) this.#send()
    }, everyMs)
    this.#send()
  }

  /** Resolves when all that was sent up to now is back. */
  async caughtUp(timeoutMs: number): Promise<void> {
    const sent = this.#sent
    this.#arrivals = []
    await this.#until('complete echo', timeoutMs, () => this.#received >= sent || undefined)
  }

  /** The moment of the first arrival later than `after`, both in ms since 1970. Looks back as far as `caughtUp`. */
  async arrival(after: number, timeoutMs: number): Promise<number> {
    return await this.#until('byte', timeoutMs, () => this.#arrivals.find(moment => moment > after))
  }

  /** Sends FIN; resolves with the number of bytes when all of them, and the FIN, are back. */
  async finish(timeoutMs: number): Promise<number> {
    clearInterval(this.#pace)
    this.#socket.end()
    await this.#until('end of the echo', timeoutMs, () => this.#ended || undefined)
    if (this.#received !== this.#sent) throw new Error(`${this.#sent} bytes were sent, ${this.#received} came back`)
    return this.#received
  }

  stop(): void {
    clearInterval(this.#pace)
    this.#socket.destroy()
  }

  #send(): void {
    this.#socket.write(counting(this.#sent, bytesEach))
    this.#sent += bytesEach
  }

  #take(chunk: Buffer): void {
    this.#arrivals.push(Date.now())
    const expected = counting(this.#received, chunk.length)
    if (!chunk.equals(expected)) {
      const wrong = chunk.findIndex((byte, index) => byte !== expected[index])
      this.#fail(`byte ${this.#received + wrong} of the echo is not the one that was sent`)
    }
    this.#received += chunk.length
    if (this.#received > this.#sent) this.#fail('more came back than was sent')
  }

  #fail(why: string): void {
    this.#failure ??= new Error(why)
    this.stop()
  }

  /** Polls: what is measured is noted when it happens, not when it is seen here. */
  async #until<T>(what: string, timeoutMs: number, found: () => T | undefined): Promise<T> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const result = found()
      if (result !== undefined) return result
      if (performance.now() > deadline) throw new Error(`no ${what} within ${timeoutMs} ms`)
      await sleep(everyMs)
    }
  }
}

/** `length` bytes, from `offset` on, of the row of all 32-bit numbers: 0, 1, 2, … */
function counting(offset: number, length: number): Buffer {
  const first = Math.floor(offset / 4)
  const numbers = Buffer.alloc((Math.ceil((offset + length) / 4) - first) * 4)
  for (let at = 0; at < numbers.length; at += 4) numbers.writeUInt32BE(first + at / 4, at)
  return numbers.subarray(offset - first * 4, offset - first * 4 + length)
}

let flow: Flow | undefined

export const flowJobs = {
  /** Begins a flow of numbers there and back, and keeps it going. The jobs below are about this one. */
  async flow({ port }: { port: number }): Promise<void> {
    flow?.stop()
    flow = new Flow(await open(port))
  },

  async caughtUp({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    await flowing().caughtUp(timeoutMs)
  },

  async arrival({ after, timeoutMs }: { after: number; timeoutMs: number }): Promise<number> {
    return await flowing().arrival(after, timeoutMs)
  },

  /** How many bytes came back in all. */
  async endFlow({ timeoutMs }: { timeoutMs: number }): Promise<number> {
    return await flowing().finish(timeoutMs)
  },

  /** Whatever state it is in. */
  async dropFlow(_: Record<string, never>): Promise<void> {
    flow?.stop()
    flow = undefined
  },
}

function flowing(): Flow {
  if (flow === undefined) throw new Error('nothing flows')
  return flow
}
