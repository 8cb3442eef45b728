/**
 * One request, passed on to its service over a stream, and the answer passed back. Bodies flow with back-pressure both ways;
 * who leaves on one side is gone on the other.
 */
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingMessage,
  type ServerResponse,
} from 'node:http'
import { TunnelError } from '../../errors.ts'
import { abort } from '../../net/splice.ts'
import type { Connections, ServiceOptions, ServiceRequest } from './connections.ts'
import { Failure, failureOf, NO_HTTP } from './failure.ts'
import { trailerFields } from './fields.ts'
import { Interim } from './interim.ts'
import type { Watched } from './patience.ts'
import { type Exchanger, MAX_HEADER_BYTES, type Plan } from './plan.ts'

/** How long a service may take to close a connection that is not needed any more. */
const LINGER_MS = 3_000
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
    plan.record.connected = false
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
  readonly #interim: Interim
  /** All of it is here. */
  #answered = false

  constructor(exchanger: Exchanger, request: IncomingMessage, response: ServerResponse, plan: Plan, hasBody: boolean) {
    this.#exchanger = exchanger
    this.#request = request
    this.#response = response
    this.#plan = plan
    this.#hasBody = hasBody
    this.#interim = new Interim(request, response)
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
        if (!record.unanswered) record.code = 'IDLE'
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
        // Half an answer must not look whole: to HTTP/1.0 a mere end would be the end of the body.
        record.code ??= 'PEER_RESET'
        if (response.socket) abort(response.socket)
        response.destroy()
        resolve()
      }
      const left = () => {
        over()
        if (!response.writableFinished) {
          record.code ??= 'CLIENT_LEFT'
          upstream.destroy()
        } else this.#leave(upstream)
        resolve()
      }
      response.once('close', left)
      upstream.on('error', thrown => {
        if (!this.#answered) fail(thrown)
      })
      upstream.on('close', () => {
        if (record.unanswered)
          fail(new Failure(502, 'PEER_RESET', 'The service has closed the connection without an answer.'))
      })
      upstream.on('upgrade', (_answer, stream) => {
        stream.destroy()
        fail(notAsked())
      })
      upstream.on('continue', () => this.#interim.goOn())
      upstream.on('information', ({ statusCode, rawHeaders }) => {
        if (statusCode === 101) fail(notAsked())
        else this.#interim.inform(statusCode, rawHeaders)
      })
      upstream.on('response', answer => {
        if (answer.statusCode === undefined || answer.statusCode < 200) return fail(notAsked())
        this.#passAnswer(answer, watched, fail)
      })
      // It may have left while it was found out who it is.
      if (response.destroyed) left()
      else this.#passBody(upstream, watched)
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
    // Node would drop what is too many, in silence; too long, it refuses.
    upstream.maxHeadersCount = 0
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
    // A service may answer, or refuse, before there is a body.
    sendHead(upstream)
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

  /**
   * The answer is whole, but perhaps not the request: its rest is dropped, and what is asked next comes behind it. A stream that is
   * not used again was ended, and a service that does not follow is left behind.
   */
  #leave(upstream: ClientRequest): void {
    const { clock } = this.#exchanger
    if (!this.#request.complete) {
      this.#request.removeAllListeners('data').resume()
      upstream.destroy()
    }
    const { socket } = upstream
    if (upstream.shouldKeepAlive || socket === null || socket.destroyed) return
    socket.once(
      'close',
      clock.after(LINGER_MS, () => void socket.destroy()),
    )
  }

  #passAnswer(answer: IncomingMessage, watched: Watched, fail: (thrown: unknown) => void): void {
    const { record, idleTimeoutMs, answerFields } = this.#plan
    const response = this.#response
    const { statusCode: status = 0, statusMessage, headers } = answer
    const fields = answerFields(answer.rawHeaders)
    response.sendDate = headers.date === undefined
    // Whether its body still comes, only the client knows.
    if (this.#interim.waiting) response.shouldKeepAlive = false
    try {
      response.writeHead(status, statusMessage, this.#withTrailers(answer, fields))
    } catch {
      return fail(new Failure(502, 'BAD_ANSWER', NO_HTTP))
    }
    record.transition('answering')
    record.status = status
    watched.moved(idleTimeoutMs)
    // The first byte may take its time: server-sent events, long polling. If it is here already, both leave together.
    response.cork()
    sendHead(response)
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
      this.#answered = true
      const trailers = trailerFields(answer.rawTrailers)
      if (trailers.length > 0) response.addTrailers(trailers)
      response.end()
    })
    answer.on('error', fail)
    answer.on('aborted', () => fail(new Failure(502, 'PEER_RESET', 'The service has cut its answer.')))
  }

  /** Who announces trailers sends chunks, which carry them; without chunks, Node refuses the announcement. */
  #withTrailers({ statusCode, headers }: IncomingMessage, fields: string[]): string[] {
    const { method, httpVersion } = this.#request
    const bare = method === 'HEAD' || statusCode === 204 || statusCode === 304 || httpVersion === '1.0'
    return bare || headers.trailer === undefined || headers['transfer-encoding'] === undefined
      ? fields
      : [...fields, 'Trailer', headers.trailer]
  }
}

/** As `flushHeaders`, which would send the bytes of fields above ASCII as UTF-8 of what they were read as. */
const sendHead = (message: OutgoingMessage): void => void message.write('', 'latin1')

const notAsked = (): Failure => new Failure(502, 'BAD_ANSWER', 'The service has answered what was not asked.')
