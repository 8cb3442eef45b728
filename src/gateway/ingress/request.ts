/**
 * What of a request may be passed on at all. Node's parser has refused what is no HTTP; this refuses what is HTTP and could
 * mean one thing here and another to the service (RFC 9112, 3.2 and 6).
 */
import type { IncomingMessage } from 'node:http'
import { TunnelError } from '../../errors.ts'
import { valuesOf } from '../header.ts'
import { hostOf } from './host.ts'

/** Where a request wants to go. */
export interface Destination {
  readonly host: string
  /** Without its query. */
  readonly path: string
  /** In origin form: path and query, as they were sent. */
  readonly url: string
}

/** Visible ASCII but `#`, which a client keeps to itself; and what is above, which some send unencoded. */
const URL_SHAPE = /^\/[\x21\x22\x24-\x7e\x80-\xff]*$/

/** @throws TunnelError PROTOCOL */
export function destinationOf(request: IncomingMessage): Destination {
  const { method = '', url = '', httpVersion, rawHeaders } = request
  const hosts = valuesOf(rawHeaders, 'host')
  const [only = ''] = hosts
  if (hosts.length !== 1) throw refused(hosts.length === 0 ? 'no Host' : 'more than one Host')
  const host = hostOf(only)
  if (host === undefined) throw refused('the Host is malformed')
  if (method === 'CONNECT') throw refused('CONNECT is not served')
  const codings = valuesOf(rawHeaders, 'transfer-encoding')
  if (codings.length > 0) {
    if (httpVersion === '1.0') throw refused('Transfer-Encoding in HTTP/1.0')
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') throw refused('a Transfer-Encoding but chunked')
    if (valuesOf(rawHeaders, 'content-length').length > 0) throw refused('Transfer-Encoding beside Content-Length')
  }
  const expected = request.headers.expect
  if (expected !== undefined && expected.toLowerCase() !== '100-continue') throw refused('an Expect but 100-continue')
  const origin = originForm(url, host)
  const [path = ''] = origin.split('?', 1)
  if (hasDotSegment(path)) throw refused('the path goes up or stays')
  return { host, path, url: origin }
}

function originForm(url: string, host: string): string {
  const [, authority, rest = ''] = /^https?:\/\/([^/?]*)(.*)$/is.exec(url) ?? []
  if (authority === undefined) return shaped(url)
  if (hostOf(authority) !== host) throw refused('the request line and Host disagree')
  return shaped(rest.startsWith('/') ? rest : `/${rest}`)
}

function shaped(url: string): string {
  if (URL_SHAPE.test(url)) return url
  throw refused('the path is malformed')
}

/**
 * A service may take `/public/../admin` for `/admin`, which another route may be for. No client sends it that means well:
 * browsers and curl resolve it themselves.
 */
function hasDotSegment(path: string): boolean {
  if (!path.includes('.') && !/%2e/i.test(path)) return false
  const plain = path.replace(/%2e/gi, '.').replace(/%2f|%5c|\\/gi, '/')
  return /\/\.{1,2}(?:[/;]|$)/.test(plain)
}

function refused(why: string): TunnelError {
  return new TunnelError('PROTOCOL', why, { hint: '' })
}
