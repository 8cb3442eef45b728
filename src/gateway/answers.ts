/** HTTP requests for the gateway itself that are no upgrades, and a line for whoever is lost here, or not let in. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { asTunnelError, TunnelError } from '../errors.ts'
import { readSmallStream } from '../net/smallfile.ts'
import { parseTarget } from '../net/target.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import { type Authenticator, statusOf } from './auth.ts'
import { directoryFor } from './directory.ts'
import type { Ingress } from './ingress/ingress.ts'
import { answerMeasure } from './measure.ts'
import { type Principal, requireRole } from './principal.ts'
import type { Registry } from './registry.ts'

/** What an answer is made from. */
export interface Sources {
  readonly authenticator: Authenticator
  readonly registry: Registry
  readonly ingress: Ingress | undefined
}

type Answer = (
  sources: Sources,
  principal: Principal,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
) => Promise<void> | void

const MAX_BODY_BYTES = 4_096

/** docs/protocol.md: "Directory", "Measuring", "Opening". Each is for a token of connect. */
const answers: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  [
    'GET /v1/services',
    ({ registry }, principal, { response }) => sayJson(response, { agents: directoryFor(registry, principal) }),
  ],
  ['GET /v1/measure', (_sources, _principal, { request, response }) => answerMeasure(request, response)],
  ['POST /v1/measure', (_sources, _principal, { request, response }) => answerMeasure(request, response)],
  ['POST /v1/open', open],
])

/** Answers every request, and never rejects. Returns the failure, for the log. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  sources: Sources,
): Promise<TunnelError | undefined> {
  response.on('error', () => {})
  const asked = `${request.method} ${pathOf(request)}`
  const { authenticator } = sources
  if (asked === 'GET /v1/login') {
    const { oidc } = authenticator
    // Whoever asks this is known no better than before.
    response.shouldKeepAlive = false
    sayJson(response, oidc === undefined ? {} : { oidc: oidc.login })
    return undefined
  }
  const answer = answers.get(asked)
  if (answer === undefined) {
    say(response, 404, 'this is a tunnelctl gateway: use tunnelctl connect')
    return undefined
  }
  try {
    if (request.headers.origin !== undefined) throw new TunnelError('FORBIDDEN', 'requests of web pages are not served')
    const principal = await authenticator.authenticate(request)
    requireRole(principal, 'connect')
    await answer(sources, principal, { request, response })
    return undefined
  } catch (thrown) {
    const error = asTunnelError(thrown)
    const status = statusOf(error)
    say(response, status, error.message, status === 401 ? { 'www-authenticate': 'Bearer' } : {})
    return error
  }
}

async function open(
  { ingress }: Sources,
  principal: Principal,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  if (ingress === undefined) throw new TunnelError('BAD_TARGET', 'this gateway has no ingress')
  const { target, agent } = objectFrom(await readSmallStream(request, MAX_BODY_BYTES))
  const named = typeof agent === 'string' ? agent : undefined
  sayJson(response, ingress.invite(principal, parseTarget(String(target)), named))
}

function objectFrom(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '')
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new TunnelError('PROTOCOL', 'the body is no JSON object')
}

export const pathOf = (request: IncomingMessage): string => request.url?.split('?')[0] ?? ''

function sayJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

function say(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close', ...headers })
  response.end(`${text.replace(/[^\x20-\x7e]/g, '?')}\n`)
}

/** Answers an upgrade with a status and ends the socket: what was pipelined behind it is never read. */
export function refuseUpgrade(socket: Duplex, status: number, message: string): void {
  if (socket.destroyed) return
  const text = `${message.replace(/[^\x20-\x7e]/g, '?')}\n`
  const head = [
    `HTTP/1.1 ${status} ${status === 401 ? 'Unauthorized' : 'Refused'}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...(status === 426 ? [`Sec-WebSocket-Protocol: ${SUBPROTOCOL}`] : []),
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
  socket.once('finish', () => socket.destroy())
}
