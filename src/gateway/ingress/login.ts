/** What is below `/.tunnelctl/`, at every host of the ingress. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Access, LOGIN_PATH } from './access.ts'
import { Failure } from './failure.ts'
import { HSTS } from './fields.ts'
import type { RequestRecord } from './record.ts'

export interface LoginContext {
  readonly access: Access
  readonly record: RequestRecord
  /** What `Strict-Transport-Security` says. */
  readonly hsts: string | undefined
}

/**
 * `GET /.tunnelctl/login?code=…`: the code goes, the cookie comes, and the page is the service's.
 * @throws Failure for anything else, and for a code that is not good
 */
export function answerLogin(
  request: IncomingMessage,
  response: ServerResponse,
  { access, record, hsts }: LoginContext,
): void {
  const url = new URL(request.url ?? '', 'http://ingress')
  if (url.pathname !== LOGIN_PATH || request.method !== 'GET') {
    throw new Failure(404, 'NO_ROUTE', 'There is nothing here.')
  }
  const cookie = access.redeem(url.searchParams.get('code') ?? '', record.host)
  if (cookie === undefined) {
    throw new Failure(403, 'UNAUTHENTICATED', 'This code is not good any more. Type tunnelctl open again.')
  }
  record.status = 303
  response.writeHead(303, {
    Location: '/',
    'Set-Cookie': cookie,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'Content-Length': '0',
    ...(hsts !== undefined && { [HSTS]: hsts }),
  })
  response.end()
}
