/**
 * HTTP requests that are no upgrades: the directory of services for `tunnelctl services`, how to log in, what measures the
 * first leg, and a line for whoever is lost here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asTunnelError, TunnelError } from '../errors.ts'
import { type Authenticator, statusOf } from './auth.ts'
import { directoryFor } from './directory.ts'
import { answerMeasure, MEASURE_PATH } from './measure.ts'
import { requireRole } from './principal.ts'
import type { Registry } from './registry.ts'

/** docs/protocol.md, "Directory". */
export const SERVICES_PATH = '/v1/services'
/** docs/protocol.md, "Login". */
export const LOGIN_PATH = '/v1/login'

/** Answers every request, and never rejects. Returns the failure, for the log. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { authenticator, registry }: { readonly authenticator: Authenticator; readonly registry: Registry },
): Promise<TunnelError | undefined> {
  response.on('error', () => {})
  const asked = request.method === 'GET' ? pathOf(request) : ''
  if (asked === LOGIN_PATH) {
    const { oidc } = authenticator
    sayJson(response, oidc === undefined ? {} : { oidc: oidc.login })
    return undefined
  }
  const measuring = pathOf(request) === MEASURE_PATH && (request.method === 'GET' || request.method === 'POST')
  if (asked !== SERVICES_PATH && !measuring) {
    say(response, 404, 'this is a tunnelctl gateway: use tunnelctl connect')
    return undefined
  }
  try {
    if (request.headers.origin !== undefined) throw new TunnelError('FORBIDDEN', 'requests of web pages are not served')
    const principal = await authenticator.authenticate(request)
    requireRole(principal, 'connect')
    if (measuring) answerMeasure(request, response)
    else sayJson(response, { agents: directoryFor(registry, principal) })
    return undefined
  } catch (thrown) {
    const error = asTunnelError(thrown)
    const status = statusOf(error)
    say(response, status, error.message, status === 401 ? { 'www-authenticate': 'Bearer' } : {})
    return error
  }
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
