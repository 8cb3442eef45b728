/** People who log in at an OIDC issuer: their ID tokens, checked with its keys, become principals by the operator's rules. */
import { TunnelError } from '../errors.ts'
import { isSubject } from '../net/claims.ts'
import { parsePattern } from '../net/pattern.ts'
import { IssuerKeys, type IssuerKeysOptions, publishedKeys } from './jwks.ts'
import { ISSUER_ALGORITHMS, refused, type TokenChecks, verifyToken } from './jwt.ts'
import { freezePrincipal, type Principal } from './principal.ts'
import { type ClaimRules, granted, textClaim } from './rules.ts'

export interface OidcIssuerOptions extends Pick<IssuerKeysOptions, 'monotonicNow'> {
  /** As it stands in the claim `iss`. */
  readonly issuer: string
  /** The client id of tunnelctl at the issuer: what `aud` of an ID token is (OpenID Connect Core 1.0, section 2). */
  readonly audience: string
  /** What `tunnelctl login` asks for. */
  readonly scopes: readonly string[]
  readonly rules: ClaimRules
}

export class OidcIssuer {
  readonly issuer: string
  readonly #options: OidcIssuerOptions
  readonly #keys: IssuerKeys

  constructor(options: OidcIssuerOptions) {
    this.issuer = options.issuer
    this.#options = options
    this.#keys = new IssuerKeys({ ...options, source: publishedKeys(options.issuer) })
  }

  /** What `tunnelctl login` needs to know; public (docs/protocol.md, "Login"). */
  get login(): { readonly issuer: string; readonly clientId: string; readonly scopes: readonly string[] } {
    const { issuer, audience, scopes } = this.#options
    return { issuer, clientId: audience, scopes }
  }

  /**
   * @throws TunnelError UNAUTHENTICATED, FORBIDDEN when no rule gives this person anything, OVERLOAD when the issuer's keys
   * cannot be had
   */
  async principal(token: string, { now, maxTtlMs }: Pick<TokenChecks, 'now' | 'maxTtlMs'>): Promise<Principal> {
    const { issuer, audience, rules } = this.#options
    const key: TokenChecks['key'] = header => this.#keys.key(header)
    const claims = await verifyToken(token, { issuer, audience, algorithms: ISSUER_ALGORITHMS, now, maxTtlMs, key })
    const subject = textClaim(claims, rules.subject)
    if (subject === undefined || !isSubject(subject)) {
      throw refused(`the token has no claim "${rules.subject}" that could name its bearer`, 'ask the operator')
    }
    const { agents, allow } = granted(rules, claims)
    if (allow.length === 0) {
      throw new TunnelError('FORBIDDEN', 'no rule of this gateway gives you anything', {
        hint: 'ask the operator to be put into a group that has a rule',
      })
    }
    return freezePrincipal({
      role: 'connect',
      subject,
      agents,
      allow: allow.map(parsePattern),
      expiresAt: claims.exp * 1000,
      tokenId: textClaim(claims, 'jti') ?? '',
    })
  }
}
