/** Makes tokens, and shows people what is in one. Whether a token is good is for the gateway to say. */
import { randomUUID } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, importJWK, SignJWT } from 'jose'
import { asTunnelError, TunnelError } from '../errors.ts'
import {
  type Claims,
  claimsFromPayload,
  isAgentGlob,
  isAgentName,
  isSubject,
  type Role,
  tokenAudience,
  tokenIssuer,
  tokenLimits,
} from '../net/claims.ts'
import { parsePattern } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'
import type { PrivateJwk } from './keys.ts'

export interface TokenRequest {
  readonly role: Role
  readonly subject: string
  /** Role agent: exactly one name. Role connect: one or more names, `*` standing for any run of characters. */
  readonly agents: readonly string[]
  /** Role agent: none. Role connect: one or more patterns. */
  readonly allow: readonly string[]
  /** How long it is good for, from `now` on. */
  readonly ttlMs: number
  /** Milliseconds since 1970. */
  readonly now: number
}

/** What `inspectToken` found. Nothing in it is verified. */
export interface TokenReport {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  readonly expired: boolean
  /** Milliseconds since 1970; absent when the token does not say. */
  readonly expiresAt?: number
  /** Why a gateway would refuse these claims whatever the time and the signature. */
  readonly problem?: string
}

/** The last moment that a Date can show. */
const lastMs = 8_640_000_000_000_000

/**
 * A compact JWT that a gateway with the public half takes.
 * @throws TunnelError USAGE naming the first part of the request that is wrong
 */
export async function createToken(key: PrivateJwk, request: TokenRequest): Promise<string> {
  checkRequest(request)
  const { role, subject, agents, allow, ttlMs, now } = request
  const iat = Math.floor(now / 1000)
  const claims: Claims = {
    iss: tokenIssuer,
    aud: tokenAudience,
    role,
    sub: subject,
    agents,
    allow,
    iat,
    exp: iat + Math.ceil(ttlMs / 1000),
    jti: randomUUID(),
  }
  const token = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.alg, typ: 'JWT', kid: key.kid })
    .sign(await importJWK(key))
  if (token.length <= tokenLimits.bytes) return token
  throw new TunnelError('USAGE', `the token would be over ${tokenLimits.bytes} bytes, and no gateway takes it`, {
    hint: 'allow fewer or wider patterns',
  })
}

/**
 * Decodes a token without checking its signature.
 * @throws TunnelError TOKEN_FILE when it is not a JWT
 */
export function inspectToken(token: string, now: number): TokenReport {
  const { header, claims } = decode(token)
  const { exp } = claims
  const expiresAt = typeof exp === 'number' && Math.abs(exp * 1000) <= lastMs ? exp * 1000 : undefined
  const problem = problemOf(claims)
  return {
    header,
    claims,
    expired: expiresAt !== undefined && expiresAt <= now,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(problem === undefined ? {} : { problem }),
  }
}

function decode(token: string): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: { ...decodeJwt(token) } }
  } catch {
    // The cause may quote the token, so it stays here.
    throw new TunnelError('TOKEN_FILE', 'the token is not a JWT: its header or its claims cannot be decoded')
  }
}

function problemOf(claims: unknown): string | undefined {
  try {
    claimsFromPayload(claims)
    return undefined
  } catch (thrown) {
    return asTunnelError(thrown).message
  }
}

function checkRequest({ role, subject, agents, allow, ttlMs, now }: TokenRequest): void {
  if (!isSubject(subject)) {
    throw usage(`the subject ${quote(subject)} is not 1 to ${tokenLimits.subject} printable characters`)
  }
  if (role === 'agent') checkAgentRole(agents, allow)
  else checkConnectRole(agents, allow)
  if (!(ttlMs > 0)) throw usage('the token would never be valid: its lifetime is 0')
  if (!(now + ttlMs <= lastMs)) throw usage('the lifetime of the token is too long')
}

function checkAgentRole(agents: readonly string[], allow: readonly string[]): void {
  const [name] = agents
  if (name === undefined || agents.length > 1) throw usage('a token for role agent needs exactly one agent')
  if (!isAgentName(name)) {
    throw usage(`${quote(name)} is not the name of an agent`, 'use a-z, 0-9 and -, at most 63 characters')
  }
  if (allow.length > 0) {
    throw usage('a token for role agent takes no patterns', 'what an agent permits is set with --allow at the agent')
  }
}

function checkConnectRole(agents: readonly string[], allow: readonly string[]): void {
  if (agents.length === 0) throw usage("a token for role connect needs at least one agent, or '*' for all")
  if (allow.length === 0) throw usage('a token for role connect needs at least one pattern to allow')
  if (agents.length > tokenLimits.agents) throw usage(`a token holds at most ${tokenLimits.agents} agents`)
  if (allow.length > tokenLimits.patterns) throw usage(`a token holds at most ${tokenLimits.patterns} patterns`)
  const wrong = agents.find(name => !isAgentGlob(name))
  if (wrong !== undefined) {
    throw usage(`${quote(wrong)} is not the name of an agent`, 'use a-z, 0-9, - and * for any run of these')
  }
  allow.forEach(parsePattern)
}

function usage(message: string, hint?: string): TunnelError {
  return new TunnelError('USAGE', message, hint === undefined ? {} : { hint })
}
