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
import { isAgentGlob } from '../net/claims.ts'
import { parsePattern } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'
import { Settings } from './settings.ts'

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

const HINT = 'see "Logging in with OIDC" in docs/operations.md'

/** @throws TunnelError USAGE naming the first thing that is wrong */
export const loadRules = async (file: string): Promise<ClaimRules> => rulesOf(await Settings.load(file, 'rules', HINT))

/** @throws TunnelError USAGE */
export const parseRules = (text: string, file: string): ClaimRules =>
  rulesOf(new Settings(text, `the rules in ${file}`, HINT))

function rulesOf(settings: Settings): ClaimRules {
  const { subject = 'sub', rules } = settings.fields(settings.value, ['subject', 'rules'], 'it')
  return {
    subject: settings.text(subject, 'subject'),
    rules: settings.list(rules, 'rules').map((rule, index) => ruleOf(settings, rule, `rule ${index + 1}`)),
  }
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

function ruleOf(settings: Settings, value: unknown, what: string): ClaimRule {
  const { claim, is, agents, allow } = settings.fields(value, ['claim', 'is', 'agents', 'allow'], what)
  const rule = {
    agents: settings.texts(agents, `${what}: agents`),
    allow: settings.texts(allow, `${what}: allow`),
  }
  const wrong = rule.agents.find(name => !isAgentGlob(name))
  if (wrong !== undefined) throw settings.malformed(`${what}: ${quote(wrong)} is not the name of an agent`)
  for (const pattern of rule.allow) settings.parsed(what, () => parsePattern(pattern))
  if (claim === undefined && is === undefined) return rule
  if (typeof claim === 'string' && typeof is === 'string') return { ...rule, when: { claim, is } }
  throw settings.malformed(`${what}: claim and is are two texts that go together`)
}
