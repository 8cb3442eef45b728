/**
 * Who is at the door. A request brings one token, in one place; it is verified against the operator's keys and becomes
 * one Principal. Whatever is odd about it is refused, and no refusal repeats what was sent.
 */
import type { KeyObject } from 'node:crypto'
import { errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { type ErrorCode, TunnelError } from '../errors.ts'
import { claimsFromPayload, tokenAudience, tokenIssuer, tokenLimits } from '../net/claims.ts'
import { formatDuration } from '../net/duration.ts'
import { keysById } from './keys.ts'
import { type Principal, principalFromClaims } from './principal.ts'

/** What of a request matters here. An `IncomingMessage` is one; its `headers` would hide a second Authorization. */
export interface DoorRequest {
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[]
  readonly url?: string | undefined
}

export interface AuthenticatorOptions {
  readonly keys: readonly JSONWebKeySet[]
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Refuses tokens made for longer than this. Absent: any lifetime. */
  readonly maxTtlMs?: number | undefined
}

/** How far the clocks of the issuer and the gateway may be apart. */
const skewSeconds = 60

/** Never `none`, never a shared secret. EdDSA is the name of RFC 8037, Ed25519 that of RFC 9864 for the same thing. */
const algorithms = ['EdDSA', 'Ed25519']

export class Authenticator {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #now: () => number
  readonly #maxTtlMs: number

  /** @throws TunnelError KEY_FILE when the sets hold no usable key: there is no way to run without checking */
  constructor({ keys, now, maxTtlMs = Number.POSITIVE_INFINITY }: AuthenticatorOptions) {
    this.#keys = keysById(keys)
    this.#now = now
    this.#maxTtlMs = maxTtlMs
  }

  /**
   * The principal behind the request's token. The role is not checked against the path: see `requireRole`.
   * @throws TunnelError UNAUTHENTICATED, or PROTOCOL when the request carries credentials in a way that nobody may
   */
  async authenticate(request: DoorRequest): Promise<Principal> {
    const token = bearerToken(request)
    const claims = claimsFromPayload(await this.#verify(token))
    const ttlMs = (claims.exp - claims.iat) * 1000
    if (claims.iat * 1000 > this.#now() + skewSeconds * 1000) {
      throw refused('the token was made in the future', 'compare the clock of the gateway with that of the issuer')
    }
    if (ttlMs > this.#maxTtlMs) {
      throw refused(
        `the token is made for ${formatDuration(ttlMs)}, and this gateway takes at most ${formatDuration(this.#maxTtlMs)}`,
      )
    }
    return principalFromClaims(claims)
  }

  async #verify(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.#key(kid), {
        algorithms,
        issuer: tokenIssuer,
        audience: tokenAudience,
        requiredClaims: ['exp', 'iat'],
        clockTolerance: skewSeconds,
        currentDate: new Date(this.#now()),
      })
      return payload
    } catch (thrown) {
      // Not kept as the cause: jose's errors carry the claims, and a parser's message quotes its input.
      throw this.#explain(thrown)
    }
  }

  /** The id is a key of this Map and never a path or an address. */
  #key(kid: unknown): KeyObject {
    if (typeof kid !== 'string') throw refused('the token names no key')
    const key = this.#keys.get(kid)
    if (key === undefined) {
      throw refused(
        'no key with the id in this token',
        'give the gateway the public key of the issuer with --verify-key',
      )
    }
    return key
  }

  #explain(thrown: unknown): TunnelError {
    if (thrown instanceof TunnelError) return thrown
    if (thrown instanceof errors.JWTExpired) {
      const ago = formatDuration(this.#now() - Number(thrown.payload.exp) * 1000)
      return refused(`the token expired ${ago} ago`, 'get a new token')
    }
    if (thrown instanceof errors.JWTClaimValidationFailed) return refusedClaim(thrown)
    if (thrown instanceof errors.JWSSignatureVerificationFailed) return refused('the signature of the token is wrong')
    if (thrown instanceof errors.JOSEAlgNotAllowed) return refused('the token is not signed with Ed25519 (EdDSA)')
    return refused('the token is malformed')
  }
}

/** The HTTP status for a failure at the door. */
export function statusOf(error: TunnelError): number {
  return statuses.get(error.code) ?? 500
}

const statuses = new Map<ErrorCode, number>([
  ['PROTOCOL', 400],
  ['UNAUTHENTICATED', 401],
  ['EXPIRED_AUTH', 401],
  ['FORBIDDEN', 403],
  ['NOT_A_GATEWAY', 404],
  ['VERSION', 426],
  ['LIMIT', 429],
  ['OVERLOAD', 503],
  ['DRAINING', 503],
])

function bearerToken({ rawHeaders, url = '' }: DoorRequest): string {
  if (hasTokenInQuery(url)) throw misplaced('a token must not be in the URL, where logs keep it')
  const authorization = headerValues(rawHeaders, 'authorization')
  if (authorization.length > 1) throw misplaced('more than one Authorization header')
  if (headerValues(rawHeaders, 'sec-websocket-protocol').some(value => /bearer/i.test(value))) {
    throw misplaced('a token must not be in Sec-WebSocket-Protocol')
  }
  const [value] = authorization
  if (value === undefined) throw refused('no token: the Authorization header is missing')
  if (value.length > tokenLimits.bytes + 'Bearer '.length) throw refused(`the token is over ${tokenLimits.bytes} bytes`)
  const [, token] = /^Bearer +([\w.-]+) *$/i.exec(value) ?? []
  if (token === undefined) throw refused('the Authorization header is not "Bearer" and a token')
  return token
}

function hasTokenInQuery(url: string): boolean {
  const start = url.indexOf('?')
  if (start < 0) return false
  const names = new URLSearchParams(url.slice(start)).keys()
  return [...names].some(name => /^(access_)?token$/i.test(name))
}

/** Every value of a header; `name` in lower case. */
function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}

function refusedClaim({ claim, reason }: errors.JWTClaimValidationFailed): TunnelError {
  if (reason === 'missing') return refused(`the token has no claim "${claim}"`)
  if (claim === 'nbf') return refused('the token is not valid yet')
  if (claim === 'iss') return refused('the token was not made for tunnelctl: wrong issuer')
  if (claim === 'aud') return refused('the token was not made for tunnelctl: wrong audience')
  return refused(`the claim "${claim}" of the token is wrong`)
}

function refused(message: string, hint?: string): TunnelError {
  return new TunnelError('UNAUTHENTICATED', message, hint === undefined ? {} : { hint })
}

function misplaced(message: string): TunnelError {
  return new TunnelError('PROTOCOL', message, { hint: 'send one token, as Authorization: Bearer' })
}
