/**
 * One request, passed on to its service over a stream, and the answer passed back. Bodies flow with back-pressure both ways;
 * who leaves on one side is gone on the other.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Clock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import type { Target } from '../../net/target.ts'
import type { Connections, ServiceOptions, ServiceRequest } from './connections.ts'
import { Failure, failureOf } from './failure.ts'
import { responseFields, trailerFields } from './fields.ts'
import type { Patience, Watched } from './patience.ts'
import type { RequestRecord } from './record.ts'

export interface Plan {
  readonly agent: string
  readonly target: Target
  readonly method: string
  readonly url: string
  /** Flat pairs, without framing. */
  readonly fields: readonly string[]
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly record: RequestRecord
  /** Fields of the answer that are not passed on. */
  readonly dropField: (name: string, value: string) => boolean
}

export interface Exchanger {
  readonly clock: Clock
  readonly patience: Patience
  /** Streams that carry one request. */
  readonly fresh: Connections
  /** Streams that may carry several. */
  readonly kept: Connections
}

/** Of an answer; Node refuses one with more. */
export const MAX_HEADER_BYTES = 16 * 1024
const MAX_EARLY_HINTS = 10
/** Asked twice, they have done no more than asked once (RFC 9110, 9.2.2), and none of these has a body here. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Resolves when the exchange is over.
 * @throws Failure while nothing was answered: the caller answers
 */
export async function passRequest(
  exchanger: Exchanger,
  request: IncomingMessage,
  response: ServerResponse,
  plan: Plan,
): Promise<void> {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  const repeatable = !hasBody && REPEATABLE.has(plan.method)
  try {
    await new Exchange(exchanger, request, response, plan, hasBody).run(repeatable ? exchanger.kept : exchanger.fresh)
  } catch (thrown) {
    // The service has closed a connection at the moment when it was used again: nobody has read the request.
    if (!repeatable || !(thrown instanceof StaleConnection)) throw failureOf(thrown)
    await new Exchange(exchanger, request, response, plan, hasBody).run(exchanger.fresh)
  }
}

/** One for all: making an error, with its stack, for every request would cost more than much of the rest. */
const OVER = new TunnelError('GONE', 'the exchange is over')

class StaleConnection extends Error {}

class Exchange {
  readonly #exchanger: Exchanger
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #plan: Plan
  readonly #hasBody: boolean
  #hints = 0

  constructor(exchanger: Exchanger, request: IncomingMessage, response: ServerResponse, plan: Plan, hasBody: boolean) {
    this.#exchanger = exchanger
    this.#request = request
    this.#response = response
    this.#plan = plan
    this.#hasBody = hasBody
  }

  run(connections: Connections): Promise<void> {
    const { agent, target, record, responseTimeoutMs } = this.#plan
    const response = this.#response
    return new Promise((resolve, reject) => {
      let gone: AbortController | undefined
      const upstream = this.#ask(connections, {
        agent,
        target,
        get signal() {
          gone ??= new AbortController()
          return gone.signal
        },
      })
      const watched = this.#exchanger.patience.watch(responseTimeoutMs, () => {
        fail(new Failure(504, 'RESPONSE_TIMEOUT', 'The service did not answer in time.'))
      })
      const over = () => {
        watched.release()
        response.off('close', left)
        gone?.abort(OVER)
      }
      const fail = (thrown: unknown) => {
        over()
        upstream.destroy()
        if (record.unanswered) {
          const stale = upstream.reusedSocket && !(thrown instanceof Failure)
          return reject(stale ? new StaleConnection() : failureOf(thrown))
        }
        // Half an answer must not look whole.
        record.code ??= 'PEER_RESET'
        response.destroy()
        resolve()
      }
      const left = () => {
        over()
        if (response.writableFinished) return resolve()
        record.code ??= 'CLIENT_LEFT'
        upstream.destroy()
        resolve()
      }
      response.once('close', left)
      upstream.on('error', fail)
      upstream.on('close', () => {
        if (record.unanswered)
          fail(new Failure(502, 'PEER_RESET', 'The service has closed the connection without an answer.'))
      })
      upstream.on('upgrade', (_answer, stream) => {
        stream.destroy()
        fail(new Failure(502, 'BAD_ANSWER', 'The service has answered what was not asked.'))
      })
      upstream.on('continue', () => response.writeContinue())
      upstream.on('information', ({ statusCode, rawHeaders }) => this.#inform(statusCode, rawHeaders))
      upstream.on('response', answer => {
        if (answer.statusCode === undefined || answer.statusCode < 200) {
          return fail(new Failure(502, 'BAD_ANSWER', 'The service has answered what was not asked.'))
        }
        this.#passAnswer(answer, watched, fail)
      })
      this.#passBody(upstream, watched)
    })
  }

  #ask(connections: Connections, service: ServiceOptions['service']): ClientRequest {
    const { method, url, fields, record } = this.#plan
    record.transition('opening')
    const connected = () => {
      record.connected = true
      record.transition('sent')
    }
    const options: ServiceRequest = {
      service,
      connected,
      agent: connections,
      method,
      path: url,
      headers: [...fields, ...this.#framing()],
      setHost: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
    }
    const upstream = httpRequest(options)
    upstream.on('socket', () => {
      if (!upstream.reusedSocket) return
      record.reused = true
      connected()
    })
    return upstream
  }

  /** Content-Length is among the fields, if the client gave one. */
  #framing(): string[] {
    const { headers, method = '' } = this.#request
    if (headers['transfer-encoding'] !== undefined) return ['Transfer-Encoding', 'chunked']
    if (headers['content-length'] !== undefined || REPEATABLE.has(method) || method === 'DELETE') return []
    return ['Content-Length', '0']
  }

  #passBody(upstream: ClientRequest, watched: Watched): void {
    const request = this.#request
    if (!this.#hasBody) return void upstream.end()
    request.on('data', (chunk: Buffer) => {
      watched.moved()
      this.#plan.record.bytesIn += chunk.length
      if (!upstream.write(chunk)) request.pause()
    })
    upstream.on('drain', () => request.resume())
    request.on('end', () => {
      const trailers = trailerFields(request.rawTrailers)
      if (trailers.length > 0) upstream.addTrailers(trailers)
      upstream.end()
    })
    request.on('error', () => upstream.destroy())
  }

  /** 103 is worth passing on; others are between the service and this hop. */
  #inform(status: number, rawHeaders: readonly string[]): void {
    if (status !== 103 || ++this.#hints > MAX_EARLY_HINTS) return
    const links: string[] = []
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      if (rawHeaders[i]?.toLowerCase() === 'link') links.push(rawHeaders[i + 1] ?? '')
    }
    try {
      if (links.length > 0) this.#response.writeEarlyHints({ link: links })
    } catch {
      // Node checks their form; a hint that is malformed helps nobody.
    }
  }

  #passAnswer(answer: IncomingMessage, watched: Watched, fail: (thrown: unknown) => void): void {
    const { record, idleTimeoutMs, dropField } = this.#plan
    const response = this.#response
    record.transition('answering')
    record.status = answer.statusCode ?? 0
    watched.moved(idleTimeoutMs)
    const fields = responseFields(answer.rawHeaders, dropField)
    response.sendDate = answer.headers.date === undefined
    try {
      response.writeHead(record.status, answer.statusMessage, this.#withTrailers(answer, fields))
    } catch (thrown) {
      return fail(thrown)
    }
    // The first byte may take its time: server-sent events, long polling. If it is here already, both leave together.
    response.cork()
    response.flushHeaders()
    this.#exchanger.clock.defer(() => response.uncork())
    answer.on('data', (chunk: Buffer) => {
      watched.moved()
      record.bytesOut += chunk.length
      if (!response.write(chunk)) answer.pause()
    })
    response.on('drain', () => {
      watched.moved()
      answer.resume()
    })
    answer.on('end', () => {
      const trailers = trailerFields(answer.rawTrailers)
      if (trailers.length > 0) response.addTrailers(trailers)
      response.end()
    })
    answer.on('error', fail)
    answer.on('aborted', () => fail(new Failure(502, 'PEER_RESET', 'The service has cut its answer.')))
  }

  /** Who announces trailers sends chunks, which carry them. */
  #withTrailers(answer: IncomingMessage, fields: string[]): string[] {
    const { trailer } = answer.headers
    return trailer === undefined || answer.headers['transfer-encoding'] === undefined
      ? fields
      : [...fields, 'Trailer', trailer]
  }
}
