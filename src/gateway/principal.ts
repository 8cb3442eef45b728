/** The authenticated identity of one end, made once from its token and handed by value to everything that decides. */
import { TunnelError } from '../errors.ts'
import { type Claims, isAgentName, type Role } from '../net/claims.ts'
import { globMatches, type Pattern, parsePattern } from '../net/pattern.ts'

/** Frozen, with everything in it. */
export interface Principal {
  readonly role: Role
  readonly subject: string
  /** Role agent: its own name. Role connect: the agents it may use, `*` standing for any run of characters. */
  readonly agents: readonly string[]
  readonly allow: readonly Pattern[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly tokenId: string
}

export function principalFromClaims(claims: Claims): Principal {
  const { role, sub, agents, allow, exp, jti } = claims
  return freezePrincipal({
    role,
    subject: sub,
    agents,
    allow: allow.map(parsePattern),
    expiresAt: exp * 1000,
    tokenId: jti,
  })
}

export function freezePrincipal(principal: Principal): Principal {
  return Object.freeze({
    ...principal,
    agents: Object.freeze([...principal.agents]),
    allow: Object.freeze(principal.allow.map(freezePattern)),
  })
}

/** @throws TunnelError FORBIDDEN when the token is for another role than the path it was brought to */
export function requireRole(principal: Principal, role: Role): void {
  if (principal.role === role) return
  throw new TunnelError('FORBIDDEN', `the token is for role ${principal.role}, not for role ${role}`)
}

/** Role connect: may it use the agent `name`. Role agent: is `name` its own. Whether that agent is here is not asked. */
export function mayUseAgent(principal: Principal, name: string): boolean {
  if (!isAgentName(name)) return false
  if (principal.role === 'agent') return principal.agents.includes(name)
  return principal.agents.some(glob => globMatches(glob, name))
}

function freezePattern(pattern: Pattern): Pattern {
  Object.freeze(pattern.ports)
  return Object.freeze(pattern)
}
