/**
 * Who is at the door. A request brings one token, in one place; it is verified against the operator's keys and becomes
 * one Principal. Whatever is odd about it is refused, and no refusal repeats what was sent.
 */
import type { KeyObject } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { type ErrorCode, TunnelError } from '../errors.ts'
import { claimsFromPayload, tokenAudience, tokenIssuer, tokenLimits } from '../net/claims.ts'
import type { Cluster } from './cluster.ts'
import { valuesOf } from './header.ts'
import { claimedIssuer, refused, verifyToken } from './jwt.ts'
import { keysById } from './keys.ts'
import type { OidcIssuer } from './oidc.ts'
import { type Principal, principalFromClaims } from './principal.ts'

/** What of a request matters here. An `IncomingMessage` is one; its `headers` would hide a second Authorization. */
export interface DoorRequest {
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[]
  readonly url?: string | undefined
}

export interface AuthenticatorOptions {
  /** The operator's own, for the tokens that `tunnelctl token create` makes. */
  readonly keys: readonly JSONWebKeySet[]
  /** Another issuer of tokens, for people. */
  readonly oidc?: OidcIssuer | undefined
  /** Those that vouch for agents. */
  readonly clusters?: readonly Cluster[] | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Refuses tokens made for longer than this. Absent: any lifetime. */
  readonly maxTtlMs?: number | undefined
}

/** EdDSA is the name of RFC 8037, Ed25519 that of RFC 9864 for the same thing. */
const algorithms = ['EdDSA', 'Ed25519']

export class Authenticator {
  readonly oidc: OidcIssuer | undefined
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #now: () => number
  readonly #maxTtlMs: number
  /** Whose tokens are not the operator's, by the name in `iss`. */
  readonly #issuers: ReadonlyMap<string, OidcIssuer | Cluster>

  /** @throws TunnelError KEY_FILE when the sets hold no usable key, and nobody else vouches: there is no way to run without checking */
  constructor({ keys, oidc, clusters = [], now, maxTtlMs = Number.POSITIVE_INFINITY }: AuthenticatorOptions) {
    this.oidc = oidc
    const others = [...(oidc === undefined ? [] : [oidc]), ...clusters]
    this.#issuers = new Map(others.map(each => [each.issuer, each]))
    const isAlone = others.length === 0
    this.#keys = isAlone || keys.length > 0 ? keysById(keys) : new Map()
    this.#now = now
    this.#maxTtlMs = maxTtlMs
  }

  /**
   * The principal behind the request's token. The role is not checked against the path: see `requireRole`.
   * @throws TunnelError UNAUTHENTICATED, FORBIDDEN when no rule gives the person anything, OVERLOAD when its issuer cannot be
   * reached, or PROTOCOL when the request carries credentials in a way that nobody may
   */
  async authenticate(request: DoorRequest): Promise<Principal> {
    return await this.verify(bearerToken(request))
  }

  /** The principal behind a token. Throws as `authenticate`. */
  async verify(token: string): Promise<Principal> {
    const checks = { now: this.#now(), maxTtlMs: this.#maxTtlMs }
    // Only says whose keys to take; with these, the claim is verified like any other.
    const other = this.#issuers.size === 0 ? undefined : this.#issuers.get(claimedIssuer(token) ?? '')
    if (other !== undefined) return await other.principal(token, checks)
    const key = ({ kid }: { kid?: unknown }) => this.#key(kid)
    const payload = await verifyToken(token, {
      ...checks,
      issuer: tokenIssuer,
      audience: tokenAudience,
      algorithms,
      key,
    })
    return principalFromClaims(claimsFromPayload(payload))
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
  ['DENIED', 403],
  ['BAD_TARGET', 400],
  ['AGENT_UNAVAILABLE', 503],
  ['NOT_A_GATEWAY', 404],
  ['VERSION', 426],
  ['LIMIT', 429],
  ['OVERLOAD', 503],
  ['DRAINING', 503],
])

function bearerToken({ rawHeaders, url = '' }: DoorRequest): string {
  if (hasTokenInQuery(url)) throw misplaced('a token must not be in the URL, where logs keep it')
  const authorization = valuesOf(rawHeaders, 'authorization')
  if (authorization.length > 1) throw misplaced('more than one Authorization header')
  if (valuesOf(rawHeaders, 'sec-websocket-protocol').some(value => /bearer/i.test(value))) {
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

function misplaced(message: string): TunnelError {
  return new TunnelError('PROTOCOL', message, { hint: 'send one token, as Authorization: Bearer' })
}
