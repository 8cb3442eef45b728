/**
 * The checks that hold for every token, whoever has made it: an algorithm by name, a known key, issuer, audience and time.
 * What is refused is said in one sentence that repeats nothing of what was sent.
 */
import type { KeyObject } from 'node:crypto'
import { type CryptoKey, decodeJwt, errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose'
import { TunnelError } from '../errors.ts'
import { formatDuration } from '../net/duration.ts'

/** What issuers sign with: by name, asymmetric only. */
export const ISSUER_ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'Ed25519'] as const

export interface TokenChecks {
  readonly issuer: string
  readonly audience: string
  /** Never `none`, never a shared secret. */
  readonly algorithms: readonly string[]
  /** Refuses tokens made for longer than this. */
  readonly maxTtlMs: number
  /** Milliseconds since 1970. */
  readonly now: number
  /** The public key of a token with this header, or a TunnelError. */
  readonly key: (header: JWTHeaderParameters) => KeyObject | CryptoKey | Promise<CryptoKey>
}

/** `exp` and `iat` are there, and numbers. */
export type CheckedPayload = JWTPayload & { readonly exp: number; readonly iat: number }

/** How far the clocks of the issuer and the gateway may be apart. */
const skewSeconds = 60

/** Who says to have made the token; undefined when it says nothing that can be read. Nothing of it is verified. */
export function claimedIssuer(token: string): string | undefined {
  try {
    const { iss } = decodeJwt(token)
    return typeof iss === 'string' ? iss : undefined
  } catch {
    return undefined
  }
}

/** @throws TunnelError UNAUTHENTICATED, or what `key` throws */
export async function verifyToken(token: string, checks: TokenChecks): Promise<CheckedPayload> {
  const payload = await verified(token, checks)
  if (payload.iat * 1000 > checks.now + skewSeconds * 1000) {
    throw refused('the token was made in the future', 'compare the clock of the gateway with that of the issuer')
  }
  const ttlMs = (payload.exp - payload.iat) * 1000
  if (ttlMs > checks.maxTtlMs) {
    const most = formatDuration(checks.maxTtlMs)
    throw refused(`the token is made for ${formatDuration(ttlMs)}, and this gateway takes at most ${most}`)
  }
  return payload
}

export function refused(message: string, hint?: string): TunnelError {
  return new TunnelError('UNAUTHENTICATED', message, hint === undefined ? {} : { hint })
}

async function verified(token: string, checks: TokenChecks): Promise<CheckedPayload> {
  const { issuer, audience, algorithms, now, key } = checks
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [...algorithms],
      issuer,
      audience,
      requiredClaims: ['exp', 'iat'],
      clockTolerance: skewSeconds,
      currentDate: new Date(now),
    })
    return payload as CheckedPayload
  } catch (thrown) {
    // Not kept as the cause: jose's errors carry the claims, and a parser's message quotes its input.
    throw explain(thrown, checks)
  }
}

function explain(thrown: unknown, { algorithms, now }: TokenChecks): TunnelError {
  if (thrown instanceof TunnelError) return thrown
  if (thrown instanceof errors.JWTExpired) {
    const ago = formatDuration(now - Number(thrown.payload.exp) * 1000)
    return refused(`the token expired ${ago} ago`, 'get a new token')
  }
  if (thrown instanceof errors.JWTClaimValidationFailed) return refusedClaim(thrown)
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return refused('the signature of the token is wrong')
  if (thrown instanceof errors.JOSEAlgNotAllowed)
    return refused(`the token is not signed with ${algorithms.join(' or ')}`)
  return refused('the token is malformed')
}

function refusedClaim({ claim, reason }: errors.JWTClaimValidationFailed): TunnelError {
  if (reason === 'missing') return refused(`the token has no claim "${claim}"`)
  if (claim === 'nbf') return refused('the token is not valid yet')
  if (claim === 'iss') return refused('the token was not made for tunnelctl: wrong issuer')
  if (claim === 'aud') return refused('the token was not made for tunnelctl: wrong audience')
  return refused(`the claim "${claim}" of the token is wrong`)
}
