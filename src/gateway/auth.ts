/**
 * Who is at the door. A request brings one token, in one place; it is verified against the operator's keys and becomes
 * one Principal. Whatever is odd about it is refused, and no refusal repeats what was sent.
 */
import type { KeyObject } from 'node:crypto'
import { type ErrorCode, TunnelError } from '../errors.ts'
import { claimsFromPayload, tokenAudience, tokenIssuer, tokenLimits } from '../net/claims.ts'
import type { ClientCertificates } from './client-certificates.ts'
import type { Cluster } from './cluster.ts'
import { valuesOf } from './header.ts'
import { claimedIssuer, ISSUER_ALGORITHMS, refused, verifyToken } from './jwt.ts'
import type { VerifyKeys } from './keys.ts'
import type { OidcIssuer } from './oidc.ts'
import { type Principal, principalFromClaims } from './principal.ts'

/** What of a request matters here. An `IncomingMessage` is one; its `headers` would hide a second Authorization. */
export interface DoorRequest {
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[]
  readonly url?: string | undefined
  /** Over TLS it knows which certificate the client has shown. */
  readonly socket?: object
}

export interface AuthenticatorOptions {
  /** The operator's own, for the tokens that `tunnelctl token create` makes. Asked for at each token; absent: there are none. */
  readonly keys?: (() => VerifyKeys) | undefined
  /** Another issuer of tokens, for people. */
  readonly oidc?: OidcIssuer | undefined
  /** Those that vouch for agents. */
  readonly clusters?: readonly Cluster[] | undefined
  /** What certificates of clients stand for. */
  readonly certificates?: (() => ClientCertificates) | undefined
  /** Takes back what was given. Absent: nothing. */
  readonly isRevoked?: ((principal: Principal) => boolean) | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Refuses tokens made for longer than this. Absent: any lifetime. */
  readonly maxTtlMs?: number | undefined
}

export class Authenticator {
  readonly oidc: OidcIssuer | undefined
  readonly #options: AuthenticatorOptions
  /** Whose tokens are not the operator's, by the name in `iss`. */
  readonly #issuers: ReadonlyMap<string, OidcIssuer | Cluster>

  /** @throws TunnelError KEY_FILE when nobody could come in: there is no way to run without checking */
  constructor(options: AuthenticatorOptions) {
    const { keys, oidc, clusters = [], certificates } = options
    if (keys === undefined && oidc === undefined && clusters.length === 0 && certificates === undefined)
      throw new TunnelError('KEY_FILE', 'there is nothing to check credentials with')
    this.oidc = oidc
    this.#options = options
    this.#issuers = new Map([...(oidc === undefined ? [] : [oidc]), ...clusters].map(each => [each.issuer, each]))
  }

  /**
   * The principal behind the request's token, or behind its client's certificate. The role is not checked against the path: see
   * `requireRole`.
   * @throws TunnelError UNAUTHENTICATED, FORBIDDEN when no rule gives the person anything, OVERLOAD when its issuer cannot be
   * reached, or PROTOCOL when the request carries credentials in a way that nobody may
   */
  async authenticate(request: DoorRequest): Promise<Principal> {
    const { certificates, now } = this.#options
    const certified = certificates?.().principal(request.socket, now())
    const token = bearerToken(request)
    if (certified !== undefined && !(certified instanceof TunnelError) && token !== undefined) {
      throw new TunnelError('PROTOCOL', 'a token and a certificate that stands for somebody came together', {
        hint: 'bring one of them',
      })
    }
    if (token !== undefined) return await this.verify(token)
    if (certified instanceof TunnelError) throw certified
    if (certified === undefined) throw refused('no token: the Authorization header is missing')
    return this.#unlessRevoked(certified)
  }

  /** The principal behind a token. Throws as `authenticate`. */
  async verify(token: string): Promise<Principal> {
    return this.#unlessRevoked(await this.#verify(token))
  }

  /** Whether what `principal` came in with was taken back since. */
  isRevoked(principal: Principal): boolean {
    return this.#options.isRevoked?.(principal) === true
  }

  #unlessRevoked(principal: Principal): Principal {
    if (!this.isRevoked(principal)) return principal
    throw refused('what was brought to come in with has been revoked', 'ask the operator for a new token')
  }

  async #verify(token: string): Promise<Principal> {
    const { now, maxTtlMs = Number.POSITIVE_INFINITY } = this.#options
    const checks = { now: now(), maxTtlMs }
    // Only says whose keys to take; with these, the claim is verified like any other.
    const other = this.#issuers.size === 0 ? undefined : this.#issuers.get(claimedIssuer(token) ?? '')
    if (other !== undefined) return await other.principal(token, checks)
    const payload = await verifyToken(token, {
      ...checks,
      issuer: tokenIssuer,
      audience: tokenAudience,
      algorithms: ISSUER_ALGORITHMS,
      key: ({ kid, alg }) => this.#key(kid, alg),
    })
    return principalFromClaims(claimsFromPayload(payload))
  }

  /** The id is a key of a Map and never a path or an address. */
  #key(kid: unknown, alg: unknown): KeyObject {
    if (typeof kid !== 'string') throw refused('the token names no key')
    const found = this.#options.keys?.().get(kid)
    if (found === undefined) {
      throw refused(
        'no key with the id in this token',
        'give the gateway the public key of the issuer with --verify-key',
      )
    }
    if (found.algorithms.includes(String(alg))) return found.key
    throw refused('the token is signed in another way than its key is for')
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

/** Undefined when the request brings none. */
function bearerToken({ rawHeaders, url = '' }: DoorRequest): string | undefined {
  if (hasTokenInQuery(url)) throw misplaced('a token must not be in the URL, where logs keep it')
  const authorization = valuesOf(rawHeaders, 'authorization')
  if (authorization.length > 1) throw misplaced('more than one Authorization header')
  if (valuesOf(rawHeaders, 'sec-websocket-protocol').some(value => /bearer/i.test(value))) {
    throw misplaced('a token must not be in Sec-WebSocket-Protocol')
  }
  const [value] = authorization
  if (value === undefined) return undefined
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
