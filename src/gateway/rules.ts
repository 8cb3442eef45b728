/**
 * What the people of an OIDC issuer may do, from claims of their tokens. Written by the operator, in YAML:
 *
 *     subject: email
 *     rules:
 *       - claim: groups
 *         is: payments
 *         agents: [prod]
 *         allow: [db/payments:5432]
 *
 * A rule without a claim holds for everybody. Who matches several rules has what they give together.
 */
import { parse } from 'yaml'
import { TunnelError } from '../errors.ts'
import { isAgentGlob, tokenLimits } from '../net/claims.ts'
import { parsePattern } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'
import { readSmallFile } from '../net/smallfile.ts'

export interface ClaimRule {
  /** Absent: everybody. */
  readonly when?: { readonly claim: string; readonly is: string }
  readonly agents: readonly string[]
  readonly allow: readonly string[]
}

export interface ClaimRules {
  /** The claim that names a person. */
  readonly subject: string
  readonly rules: readonly ClaimRule[]
}

export interface Granted {
  readonly agents: readonly string[]
  readonly allow: readonly string[]
}

type Claims = Readonly<Record<string, unknown>>

const MAX_FILE_BYTES = 256 * 1024

/** @throws TunnelError USAGE naming the first thing that is wrong */
export async function loadRules(file: string): Promise<ClaimRules> {
  const { text } = await readSmallFile(file, MAX_FILE_BYTES, 'USAGE')
  return parseRules(text, file)
}

/** @throws TunnelError USAGE */
export function parseRules(text: string, file: string): ClaimRules {
  const { subject = 'sub', rules } = fields(fromYaml(text, file), ['subject', 'rules'], file, 'it')
  if (typeof subject !== 'string') throw malformed(file, 'subject is not the name of a claim')
  if (!Array.isArray(rules) || rules.length === 0) throw malformed(file, 'it has no list of rules')
  return { subject, rules: rules.map((rule, index) => ruleOf(rule, file, `rule ${index + 1}`)) }
}

/** What the rules give to whoever has these claims; nothing at all is possible. */
export function granted({ rules }: ClaimRules, claims: Claims): Granted {
  const matching = rules.filter(({ when }) => when === undefined || holds(claims, when.claim, when.is))
  return {
    agents: [...new Set(matching.flatMap(({ agents }) => agents))],
    allow: [...new Set(matching.flatMap(({ allow }) => allow))],
  }
}

/**
 * The text of a claim. An address counts only when the issuer has verified it: anybody may write another's into their
 * profile (OpenID Connect Core 1.0, section 5.7).
 */
export function textClaim(claims: Claims, name: string): string | undefined {
  const value = ownClaim(claims, name)
  return typeof value === 'string' ? value : undefined
}

function ownClaim(claims: Claims, name: string): unknown {
  if (!Object.hasOwn(claims, name)) return undefined
  if (name === 'email' && claims.email_verified !== true) return undefined
  return claims[name]
}

function holds(claims: Claims, name: string, wanted: string): boolean {
  const value = ownClaim(claims, name)
  return value === wanted || (Array.isArray(value) && value.includes(wanted))
}

function fromYaml(text: string, file: string): unknown {
  try {
    // Without aliases, which a few lines can make into gigabytes.
    return parse(text, { maxAliasCount: 0 })
  } catch (thrown) {
    throw malformed(file, (thrown as Error).message.split('\n')[0] ?? 'it is not YAML')
  }
}

function ruleOf(value: unknown, file: string, what: string): ClaimRule {
  const { claim, is, agents, allow } = fields(value, ['claim', 'is', 'agents', 'allow'], file, what)
  const rule = { agents: texts(agents, file, `${what}: agents`), allow: texts(allow, file, `${what}: allow`) }
  const wrong = rule.agents.find(name => !isAgentGlob(name))
  if (wrong !== undefined) throw malformed(file, `${what}: ${quote(wrong)} is not the name of an agent`)
  for (const pattern of rule.allow) {
    try {
      parsePattern(pattern)
    } catch (thrown) {
      throw malformed(file, `${what}: ${(thrown as TunnelError).message}`)
    }
  }
  if (claim === undefined && is === undefined) return rule
  if (typeof claim === 'string' && typeof is === 'string') return { ...rule, when: { claim, is } }
  throw malformed(file, `${what}: claim and is are two texts that go together`)
}

function texts(value: unknown, file: string, what: string): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || !value.every(each => typeof each === 'string')) {
    throw malformed(file, `${what} is not a list of texts`)
  }
  if (value.length > tokenLimits.patterns) throw malformed(file, `${what} has over ${tokenLimits.patterns} entries`)
  return value
}

function fields(value: unknown, known: readonly string[], file: string, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(file, `${what} is not a map`)
  const unknown = Object.keys(value).find(key => !known.includes(key))
  if (unknown !== undefined) throw malformed(file, `${what} has ${quote(unknown)}, which means nothing there`)
  return value as Record<string, unknown>
}

function malformed(file: string, why: string): TunnelError {
  return new TunnelError('USAGE', `the rules in ${file} are malformed: ${why}`, {
    hint: 'see "Logging in with OIDC" in docs/operations.md',
  })
}
