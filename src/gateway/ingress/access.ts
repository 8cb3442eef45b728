/**
 * Who may come in by a route that asks for a token: programs bring one in `Proxy-Authorization`, browsers a cookie, which they
 * get for a one-time code. Codes and cookies are kept as hashes, in memory, and end with the process.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Authenticator } from '../auth.ts'
import { valuesOf } from '../header.ts'
import type { Principal } from '../principal.ts'
import { Failure } from './failure.ts'
import { hostOf } from './host.ts'

export interface AccessOptions {
  readonly authenticator: Pick<Authenticator, 'verify' | 'isRevoked'>
  /** Milliseconds since 1970. */
  readonly wallNow: () => number
  readonly randomBytes: (bytes: number) => Buffer
}

interface Held {
  readonly principal: Principal
  readonly host: string
  readonly expiresAt: number
}

/** Below the hosts of the ingress, and never passed on to a service. */
export const OWN_PATH = '/.tunnelctl/'
export const LOGIN_PATH = `${OWN_PATH}login`

/** Only a browser that has it from this very host over TLS sends a cookie of this name (RFC 6265bis, 4.1.3.2). */
const COOKIE = '__Host-tunnelctl'
const CODE_MS = 60_000
const LOGIN_MS = 12 * 60 * 60_000
const MAX_CODES = 1_024
const MAX_LOGINS = 16_384
const SECRET_BYTES = 32
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

export class Access {
  readonly #options: AccessOptions
  readonly #codes = new Map<string, Held>()
  readonly #logins = new Map<string, Held>()

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** A code that lets whoever brings it to `host` in as `principal`, once, for a minute. */
  invite(principal: Principal, host: string): string {
    return this.#keep(this.#codes, MAX_CODES, { principal, host, expiresAt: this.#options.wallNow() + CODE_MS })
  }

  /** The `Set-Cookie` for a code; undefined for one that is not good here, or not any more. */
  redeem(code: string, host: string): string | undefined {
    const held = this.#held(this.#codes, code, host)
    if (held === undefined) return undefined
    this.#codes.delete(hashOf(code))
    const { principal } = held
    const expiresAt = Math.min(principal.expiresAt, this.#options.wallNow() + LOGIN_MS)
    const login = this.#keep(this.#logins, MAX_LOGINS, { principal, host, expiresAt })
    return `${COOKIE}=${login}; Path=/; Secure; HttpOnly; SameSite=Lax`
  }

  /**
   * Who asks for something at `host`.
   * @throws Failure 407 or 403 when nobody is let in by what the request brings, TunnelError of a token that is refused
   */
  async principalOf(request: IncomingMessage, host: string, upgrading: boolean): Promise<Principal> {
    const credentials = valuesOf(request.rawHeaders, 'proxy-authorization')
    const logins = cookiesOf(request).filter(([name]) => name === COOKIE)
    const [value] = credentials
    if (value !== undefined) {
      const [, token] = /^Bearer +([\w.-]{1,8192}) *$/i.exec(value) ?? []
      if (credentials.length > 1 || token === undefined) {
        throw new Failure(400, 'PROTOCOL', 'Proxy-Authorization is not one "Bearer" and a token.')
      }
      return await this.#options.authenticator.verify(token)
    }
    const held = logins.length === 1 ? this.#held(this.#logins, logins[0]?.[1] ?? '', host) : undefined
    if (held === undefined || this.#options.authenticator.isRevoked(held.principal)) throw notLoggedIn(request)
    checkSite(request, upgrading)
    return held.principal
  }

  #held(held: ReadonlyMap<string, Held>, secret: string, host: string): Held | undefined {
    const found = held.get(hashOf(secret))
    return found !== undefined && found.host === host && found.expiresAt > this.#options.wallNow() ? found : undefined
  }

  /** Returns the secret. What has expired, and then what is oldest, makes room. */
  #keep(held: Map<string, Held>, most: number, entry: Held): string {
    const now = this.#options.wallNow()
    for (const [hash, { expiresAt }] of held) {
      if (expiresAt > now && held.size < most) break
      held.delete(hash)
    }
    const secret = this.#options.randomBytes(SECRET_BYTES).toString('base64url')
    held.set(hashOf(secret), entry)
    return secret
  }
}

/** As browsers read it: with spaces around the name, and, some of them, with a `=` before it. */
const OWN_COOKIE = new RegExp(`^\\s*=?\\s*${COOKIE}\\s*(?:=|;|$)`, 'i')

/** The fields of a request, flat pairs, for the service: ours is taken out of each `Cookie`, and one that held no other is left out. */
export function withoutOwnCookie(rawHeaders: readonly string[]): readonly string[] {
  if (valuesOf(rawHeaders, 'cookie').length === 0) return rawHeaders
  const fields: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    const kept = name.toLowerCase() === 'cookie' ? otherCookies(value) : value
    if (kept !== undefined) fields.push(name, kept)
  }
  return fields
}

/** A service must not log anybody in, or out. */
export const setsOwnCookie = (value: string): boolean => OWN_COOKIE.test(value)

function otherCookies(value: string): string | undefined {
  const kept = value.split(';').filter(each => !OWN_COOKIE.test(each))
  return kept.length === 0 ? undefined : kept.join(';').trim()
}

function cookiesOf(request: IncomingMessage): [name: string, value: string][] {
  return valuesOf(request.rawHeaders, 'cookie')
    .flatMap(value => value.split(';'))
    .map(each => {
      const at = each.indexOf('=')
      return at < 0 ? [each.trim(), ''] : [each.slice(0, at).trim(), each.slice(at + 1).trim()]
    })
}

/** A cookie comes along with what any page asks for: a WebSocket, and what changes something, must be of this host's own pages. */
function checkSite(request: IncomingMessage, upgrading: boolean): void {
  const { origin, host = '', 'sec-fetch-site': site } = request.headers
  if (upgrading || origin !== undefined) {
    const [, scheme = '', authority = ''] = /^(https?):\/\/(.*)$/.exec(origin ?? '') ?? []
    const own = authority.toLowerCase() === host.toLowerCase() && hostOf(authority) !== undefined && scheme !== ''
    if (!own && (upgrading || !SAFE.has(request.method ?? ''))) throw foreign()
  }
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !SAFE.has(request.method ?? ''))
    throw foreign()
}

const foreign = (): Failure => new Failure(403, 'ORIGIN', 'This request comes from another site.')

/** A browser would take 407 for a fault of a proxy that it has never heard of. */
function notLoggedIn(request: IncomingMessage): Failure {
  if (/\btext\/html\b/i.test(request.headers.accept ?? '')) {
    return new Failure(403, 'UNAUTHENTICATED', 'To log in, type: tunnelctl open SERVICE/NAMESPACE:PORT')
  }
  return new Failure(407, 'UNAUTHENTICATED', 'Bring a token: Proxy-Authorization: Bearer …', {
    'Proxy-Authenticate': 'Bearer',
  })
}

/** Kept in place of the secret: who reads the memory of this process has nothing to log in with, and lookups tell nothing by their time. */
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url')
