/** Users of the same gateway that keep to every rule: each of their bytes arrives, in time, whatever the others do. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { ask } from '../support/ingress.ts'
import { dial, readExactly, within } from '../support/sockets.ts'
import { Finding } from './finding.ts'

/** An echo takes milliseconds; a machine that does other things at the same time may take its time, a hang never ends. */
const DEADLINE_MS = 15_000
const GAP_MS = 100

export class Honest {
  echoes = 0
  readonly #port: number
  readonly #ingress: { readonly port: number; readonly target: string }
  #failure: Finding | undefined
  #ended = false
  #running: Promise<void> = Promise.resolve()

  /**
   * @param port the echo, through connect
   * @param ingress a service that answers `ok`
   */
  constructor(port: number, ingress: { readonly port: number; readonly target: string }) {
    this.#port = port
    this.#ingress = ingress
  }

  async start(): Promise<void> {
    const long = await dial(this.#port)
    await this.#use(long)
    this.#running = this.#goOn(long)
  }

  /** @throws Finding */
  look(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** @throws Finding */
  async end(): Promise<void> {
    this.#ended = true
    await this.#running
    this.look()
  }

  async #goOn(long: Socket): Promise<void> {
    while (!this.#ended) {
      try {
        await this.#use(long)
      } catch (thrown) {
        this.#failure = new Finding(`an honest user was harmed: ${String(thrown)}`)
        return
      }
      await new Promise(resolve => setTimeout(resolve, GAP_MS))
    }
    long.destroy()
  }

  /** One connection for the whole time, one anew, and one request. */
  async #use(long: Socket): Promise<void> {
    await echo(long)
    const brief = await dial(this.#port)
    await echo(brief)
    brief.destroy()
    const { status, body } = await within(
      ask(this.#ingress.port, { target: this.#ingress.target }),
      'answer',
      DEADLINE_MS,
    )
    if (status !== 200 || body.toString() !== 'ok') throw new Error(`the ingress answered ${status} ${body.toString()}`)
    this.echoes++
  }
}

async function echo(socket: Socket): Promise<void> {
  const bytes = randomBytes(1 + Math.floor(Math.random() ** 3 * 64 * 1024))
  socket.write(bytes)
  const back = await within(readExactly(socket, bytes.length), 'echo', DEADLINE_MS)
  if (!back.equals(bytes)) throw new Error(`${bytes.length} bytes came back changed`)
}
