/** What goes through the tunnel: small requests, bulk both ways, and one connection that is there all the time. */
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { failed } from './child.ts'
import { Keystream } from './keystream.ts'
import type { Story } from './page.ts'
import type { Receipt } from './service.ts'

export interface Requests {
  readonly count: number
  readonly bytes: number
  readonly p50Ms: number
}

/** Bytes that have arrived, and were found to be the right ones. */
export interface Transfer {
  readonly bytes: number
  readonly ms: number
}

/** A local port, and the signal that ends everything at once. */
export interface Way {
  readonly port: number
  readonly signal: AbortSignal
}

/** Asks for the page again and again, one request after the other on one connection, for `ms`. */
export async function askForPages(way: Way, ms: number): Promise<Requests> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  let bytes = 0
  const until = performance.now() + ms
  try {
    while (performance.now() < until) {
      const since = performance.now()
      const body = await readAll(await answered(start(way, { path: '/', agent }).end()))
      times.push(performance.now() - since)
      if (!body.endsWith('</html>\n')) throw failed('a page came back incomplete')
      bytes += body.length
    }
  } finally {
    agent.destroy()
  }
  return { count: times.length, bytes, p50Ms: median(times) }
}

/** Reads from the service as fast as it comes, for `ms`. */
export async function download(way: Way, ms: number): Promise<Transfer> {
  const seed = newSeed()
  const expected = new Keystream(seed)
  const since = performance.now()
  const response = await answered(start(way, { path: `/bytes?seed=${seed}&ms=${ms}` }).end())
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (!expected.matches(chunk)) throw corrupted('down', bytes)
    bytes += chunk.length
  }
  return { bytes, ms: performance.now() - since }
}

/** Writes to the service as fast as it takes it, for `ms`; the service checks. */
export async function upload(way: Way, ms: number): Promise<Transfer> {
  const seed = newSeed()
  const bytes = new Keystream(seed)
  const since = performance.now()
  const going = start(way, { path: `/bytes?seed=${seed}`, method: 'POST' })
  const response = answered(going)
  let sent = 0
  const send = (): void => {
    if (performance.now() - since >= ms) return void going.end()
    const chunk = bytes.next()
    sent += chunk.length
    // Its callback, and not `drain`: one chunk after the other, and no listener to remove.
    going.write(chunk, error => {
      if (!error) send()
    })
  }
  send()
  const receipt = JSON.parse(await readAll(await response)) as Receipt
  if (!receipt.intact || receipt.bytes !== sent) throw corrupted('up', receipt.bytes)
  return { bytes: sent, ms: performance.now() - since }
}

/** Tells the service what to show on its page. */
export async function publish(way: Way, story: Story): Promise<void> {
  await readAll(await answered(start(way, { path: '/story', method: 'PUT' }).end(JSON.stringify(story))))
}

/** One connection to the echo: bytes go up as fast as they are taken, come back, and are checked. */
export class EchoTransfer {
  /** Rejects when a byte comes back wrong, or the connection ends before `finish` was called. */
  readonly done: Promise<Transfer>
  readonly #bytes: Keystream
  readonly #socket: Socket
  #state: 'sending' | 'finishing' | 'ended' = 'sending'
  #sent = 0
  #received = 0

  constructor({ port, signal }: Way) {
    const seed = newSeed()
    this.#bytes = new Keystream(seed)
    const expected = new Keystream(seed)
    const since = performance.now()
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, signal })
    this.done = new Promise((resolve, reject) => {
      this.#socket.on('data', chunk => {
        if (!expected.matches(chunk)) this.#socket.destroy(corrupted('back', this.#received))
        this.#received += chunk.length
      })
      this.#socket.on('end', () => {
        if (this.#state === 'finishing' && this.#received === this.#sent) return
        this.#socket.destroy(failed(`the echo ended after ${this.#received} of ${this.#sent} bytes`))
      })
      this.#socket.once('error', reject)
      this.#socket.once('close', () => {
        this.#state = 'ended'
        resolve({ bytes: this.#received, ms: performance.now() - since })
      })
    })
    // It is waited for only after the gateway has come back.
    this.done.catch(() => {})
    this.#send()
  }

  /** Bytes that have come back. */
  get received(): number {
    return this.#received
  }

  /** Sends no more; `done` resolves when the last byte has come back. */
  finish(): void {
    if (this.#state === 'sending') this.#state = 'finishing'
  }

  #send(): void {
    if (this.#state === 'finishing') this.#socket.end()
    if (this.#state !== 'sending') return
    const chunk = this.#bytes.next()
    this.#sent += chunk.length
    this.#socket.write(chunk, error => {
      if (!error) this.#send()
    })
  }
}

function start({ port, signal }: Way, options: RequestOptions): ClientRequest {
  return request({ host: '127.0.0.1', port, signal, agent: false, ...options })
}

/** The answer, if it is a good one. */
function answered(going: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    going.on('error', reject)
    going.once('response', response => {
      const { statusCode = 0 } = response
      if (statusCode < 300) return resolve(response)
      response.resume()
      reject(failed(`the service answered with status ${statusCode}`))
    })
  })
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

/** 0 when there are none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

const newSeed = (): number => Math.floor(Math.random() * 2 ** 32)

const corrupted = (way: string, at: number) => failed(`the bytes on the way ${way} are not the right ones, after ${at}`)
