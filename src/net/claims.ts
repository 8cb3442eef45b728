/**
 * What a token says about its bearer. The issuer writes it, the gateway reads it, and both know its shape from here.
 * The claims are data from the wire until `claimsFromPayload` has picked them one by one.
 */
import { TunnelError } from '../errors.ts'
import { isNameGlob, parsePattern } from './pattern.ts'
import { isLabel } from './target.ts'

export type Role = 'connect' | 'agent'

export interface Claims {
  readonly role: Role
  /** Whose token it is, for logs and for the check that a resumed session is still in the same hands. */
  readonly sub: string
  /** Role agent: the one name it registers under. Role connect: the agents it may use, `*` standing for any run. */
  readonly agents: readonly string[]
  /** The patterns of the targets that may be opened, as written. Empty for role agent, never empty for role connect. */
  readonly allow: readonly string[]
  /** Seconds since 1970, as all times in a JWT (RFC 7519, 2). */
  readonly exp: number
  readonly iat: number
  /** Tells two tokens of one subject apart; it says nothing about the token's secret. */
  readonly jti: string
  readonly iss: 'tunnelctl'
  readonly aud: 'tunnelctl'
}

export const tokenIssuer = 'tunnelctl'
export const tokenAudience = 'tunnelctl'

/** The bounds of a token. An issuer that keeps them makes nothing that the gateway would refuse for its size. */
export const tokenLimits = { bytes: 8192, agents: 64, patterns: 256, subject: 256 } as const

/** The last second that a Date can show. */
const lastSecond = 8_640_000_000_000

/** An agent's own name: an RFC 1123 label. */
export const isAgentName = (text: string): boolean => isLabel(text)

/** What a connect token may say for an agent: a name, or a name with `*` in it. */
export const isAgentGlob = (text: string): boolean => isNameGlob(text)

/** 1 to 256 characters that can be seen: no control, format, surrogate or line-separating ones. */
export const isSubject = (text: string): boolean => /^[^\p{C}\p{Zl}\p{Zp}]{1,256}$/u.test(text)

/**
 * The claims out of the decoded payload of a token. Only the known fields are read, and only if they are the object's
 * own. This checks their form, not the signature and not the time.
 * @throws TunnelError UNAUTHENTICATED naming the first wrong claim, never its value
 */
export function claimsFromPayload(payload: unknown): Claims {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new TunnelError('UNAUTHENTICATED', 'the claims of the token are not an object')
  }
  const claim = (name: keyof Claims): unknown =>
    Object.hasOwn(payload, name) ? (payload as Record<string, unknown>)[name] : undefined

  if (claim('iss') !== tokenIssuer) throw wrong('iss', `must be ${tokenIssuer}`)
  if (claim('aud') !== tokenAudience) throw wrong('aud', `must be ${tokenAudience}`)
  const role = claim('role')
  if (role !== 'connect' && role !== 'agent') throw wrong('role', 'must be connect or agent')
  return {
    role,
    sub: readableText('sub', claim('sub')),
    agents: agentNames(role, claim('agents')),
    allow: patterns(role, claim('allow')),
    ...lifetime(claim('iat'), claim('exp')),
    jti: readableText('jti', claim('jti')),
    iss: tokenIssuer,
    aud: tokenAudience,
  }
}

function agentNames(role: Role, value: unknown): readonly string[] {
  const names = texts('agents', value, tokenLimits.agents)
  if (role === 'agent') {
    if (names.length !== 1) throw wrong('agents', 'must hold exactly one name for role agent')
    if (!names.every(isAgentName)) throw wrong('agents', 'must hold the name of an agent')
    return names
  }
  if (names.length === 0) throw wrong('agents', 'must hold at least one name')
  if (!names.every(isAgentGlob)) throw wrong('agents', 'must hold names of agents or *')
  return names
}

function patterns(role: Role, value: unknown): readonly string[] {
  if (role === 'agent' && value === undefined) return []
  const allow = texts('allow', value, tokenLimits.patterns)
  if (role === 'agent' && allow.length > 0) throw wrong('allow', 'must be empty for role agent')
  if (role === 'connect' && allow.length === 0) throw wrong('allow', 'must hold at least one pattern')
  if (!allow.every(isPattern)) throw wrong('allow', 'must hold patterns like api/prod:8080')
  return allow
}

function lifetime(iat: unknown, exp: unknown): Pick<Claims, 'iat' | 'exp'> {
  const from = seconds('iat', iat)
  const to = seconds('exp', exp)
  if (to <= from) throw wrong('exp', 'must be later than iat')
  return { iat: from, exp: to }
}

function seconds(name: keyof Claims, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= lastSecond) return value
  throw wrong(name, 'must be a time in seconds')
}

function readableText(name: keyof Claims, value: unknown): string {
  if (typeof value === 'string' && isSubject(value)) return value
  throw wrong(name, `must be a text of 1 to ${tokenLimits.subject} printable characters`)
}

function texts(name: keyof Claims, value: unknown, most: number): readonly string[] {
  if (!Array.isArray(value)) throw wrong(name, 'must be a list')
  if (value.length > most) throw wrong(name, `must hold at most ${most} entries`)
  const list: readonly unknown[] = value
  return list.map(entry => {
    if (typeof entry === 'string') return entry
    throw wrong(name, 'must be a list of texts')
  })
}

function isPattern(text: string): boolean {
  try {
    parsePattern(text)
    return true
  } catch {
    return false
  }
}

function wrong(name: keyof Claims, why: string): TunnelError {
  return new TunnelError('UNAUTHENTICATED', `the claim "${name}" of the token ${why}`)
}
