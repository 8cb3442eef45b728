/** Answers before the answer (RFC 9110, 15.2): what of them a client may see, and how often. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { valuesOf } from '../header.ts'

const MAX_EARLY_HINTS = 10

export class Interim {
  readonly #response: ServerResponse
  /** HTTP/1.0 knows none of them. */
  readonly #understood: boolean
  #waiting: boolean
  #hints = 0

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#response = response
    this.#understood = request.httpVersion !== '1.0'
    this.#waiting = this.#understood && request.headers.expect !== undefined
  }

  /** The client has asked whether to send its body, and was not told. */
  get waiting(): boolean {
    return this.#waiting
  }

  /** 100, to who waits for it. */
  goOn(): void {
    if (!this.#waiting) return
    this.#waiting = false
    this.#response.writeContinue()
  }

  /** 103 is worth passing on; others are between the service and this hop. */
  inform(status: number, rawHeaders: readonly string[]): void {
    if (status !== 103 || !this.#understood || ++this.#hints > MAX_EARLY_HINTS) return
    const links = valuesOf(rawHeaders, 'link')
    try {
      if (links.length > 0) this.#response.writeEarlyHints({ link: links })
    } catch {
      // Node checks their form; a hint that is malformed helps nobody.
    }
  }
}
