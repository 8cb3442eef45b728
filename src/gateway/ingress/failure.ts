/** What a client is told when its request has no answer of the service's: a status, and a fixed sentence for each reason. */
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../clock.ts'
import { type ErrorCode, TunnelError } from '../../errors.ts'
import { HSTS } from './fields.ts'

/** An answer of the ingress's own. */
export class Failure extends Error {
  readonly status: number
  /** For the log, and for programs. */
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, text: string, headers: Readonly<Record<string, string>> = {}) {
    super(text)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

const headersFor = new Map<number, Readonly<Record<string, string>>>([
  [407, { 'Proxy-Authenticate': 'Bearer' }],
  // Seconds, for clients that come back by themselves.
  [503, { 'Retry-After': '2' }],
])

const reasons = new Map<ErrorCode, readonly [status: number, text: string]>([
  ['PROTOCOL', [400, 'The request is malformed.']],
  ['UNAUTHENTICATED', [407, 'The token is not valid, or not any more.']],
  ['DENIED', [403, 'The service may not be reached this way.']],
  ['FORBIDDEN', [403, 'The service may not be reached this way.']],
  ['BAD_TARGET', [404, 'There is no such service.']],
  ['REFUSED', [502, 'The service refuses connections.']],
  ['UNREACHABLE', [502, 'The service cannot be reached.']],
  ['DNS', [502, 'The name of the service does not resolve.']],
  ['PEER_RESET', [502, 'The service has cut the connection.']],
  ['DIAL_TIMEOUT', [504, 'The service did not accept the connection in time.']],
  ['LIMIT', [503, 'Too many connections are open.']],
  ['OVERLOAD', [503, 'The gateway is overloaded.']],
  ['DRAINING', [503, 'The gateway or the agent is shutting down.']],
  ['AGENT_UNAVAILABLE', [503, 'The cluster is not connected now.']],
  ['AGENT_SILENT', [503, 'The cluster does not answer now.']],
  ['INSTANCE_AWAY', [503, 'The cluster is not connected now.']],
  ['ROUTE_LOST', [503, 'The cluster is not connected now.']],
])

export const NO_HTTP = 'The service does not speak HTTP.'

/** Of whatever was thrown. What is nobody's business is 502 and no more. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown
  if (isParserError(thrown)) return new Failure(502, 'BAD_ANSWER', NO_HTTP)
  const code = thrown instanceof TunnelError ? thrown.code : 'PEER_RESET'
  const [status, text] = reasons.get(code) ?? [502, 'The connection to the service has ended.']
  return new Failure(status, code, text, headersFor.get(status))
}

const isParserError = (thrown: unknown): boolean =>
  thrown instanceof Error && (thrown as NodeJS.ErrnoException).code?.startsWith('HPE_') === true

export interface FailureContext {
  readonly requestId: string
  /** The client's `Accept`. */
  readonly accept: string | undefined
  /** What `Strict-Transport-Security` says. */
  readonly hsts: string | undefined
}

/** For how long the rest of a request that was refused is read, and dropped. */
const LINGER_MS = 5_000

/**
 * Answers, and closes the connection: what is behind a request that has failed is not to be trusted. But a client that still
 * sends would be reset by the close, and perhaps never see the answer: it has a moment to see it.
 */
export function answerFailure(response: ServerResponse, failure: Failure, context: FailureContext, clock: Clock): void {
  const { headers, body } = rendered(failure, context)
  const { req: request } = response
  response.writeHead(failure.status, phrase(failure), { ...headers, Connection: 'close' })
  if (request.complete) return void response.end(body)
  if (request.method !== 'HEAD') response.write(body)
  const end = () => {
    cancel()
    response.end()
  }
  const cancel = clock.after(LINGER_MS, end)
  response.once('close', end)
  request.once('end', end).removeAllListeners('data').resume()
}

/** The same, on a socket that has no ServerResponse, and then its end. */
export function refuseSocket(socket: Duplex, failure: Failure, context: FailureContext): void {
  if (socket.destroyed) return
  const { headers, body } = rendered(failure, context)
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}`)
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${failure.status} ${phrase(failure)}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

function rendered(
  failure: Failure,
  { requestId, accept = '', hsts }: FailureContext,
): { headers: Record<string, string>; body: string } {
  const { status, code, message } = failure
  const json = /\bapplication\/(?:[\w.-]+\+)?json\b/i.test(accept)
  const body = json
    ? `${JSON.stringify({ error: { status, code, message, requestId } })}\n`
    : `${status} ${phrase(failure)}\n\n${message}\n\nrequest ${requestId}\n`
  const type = json ? 'application/json' : 'text/plain; charset=utf-8'
  const length = String(Buffer.byteLength(body))
  return {
    headers: {
      'Content-Type': type,
      'Content-Length': length,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'X-Request-Id': requestId,
      ...(hsts !== undefined && { [HSTS]: hsts }),
      ...failure.headers,
    },
    body,
  }
}

const phrase = ({ status }: Failure): string => STATUS_CODES[status] ?? 'Error'
