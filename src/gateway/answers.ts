/** HTTP requests that are no upgrades: the directory of services for `tunnelctl services`, and a line for whoever is lost here. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asTunnelError, TunnelError } from '../errors.ts'
import { type Authenticator, statusOf } from './auth.ts'
import { directoryFor } from './directory.ts'
import { requireRole } from './principal.ts'
import type { Registry } from './registry.ts'

/** docs/protocol.md, "Directory". */
export const SERVICES_PATH = '/v1/services'

/** Answers every request, and never rejects. Returns the failure, for the log. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { authenticator, registry }: { readonly authenticator: Authenticator; readonly registry: Registry },
): Promise<TunnelError | undefined> {
  response.on('error', () => {})
  if (pathOf(request) !== SERVICES_PATH || request.method !== 'GET') {
    say(response, 404, 'this is a tunnelctl gateway: use tunnelctl connect')
    return undefined
  }
  try {
    if (request.headers.origin !== undefined) throw new TunnelError('FORBIDDEN', 'requests of web pages are not served')
    const principal = await authenticator.authenticate(request)
    requireRole(principal, 'connect')
    const body = JSON.stringify({ agents: directoryFor(registry, principal) })
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
    response.end(body)
    return undefined
  } catch (thrown) {
    const error = asTunnelError(thrown)
    const status = statusOf(error)
    say(response, status, error.message, status === 401 ? { 'www-authenticate': 'Bearer' } : {})
    return error
  }
}

export const pathOf = (request: IncomingMessage): string => request.url?.split('?')[0] ?? ''

function say(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close', ...headers })
  response.end(`${text.replace(/[^\x20-\x7e]/g, '?')}\n`)
}
