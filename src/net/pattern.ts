/**
 * What a token allows and what an agent permits: `service/namespace:ports[/protocol]`, where `*` stands for any run of
 * characters inside a name and ports are `*`, one port, a port name, or a range; with `pod/` or `deploy/` before the name it is about
 * those, and no services. The acl and the policy share it.
 */
import { TunnelError } from '../errors.ts'
import { quote } from './quote.ts'
import { formatTarget, isLabel, isPortName, isServiceName, type Protocol, splitKind, type Target } from './target.ts'

export interface Pattern {
  /** As it was written, for logs and for the refused user. */
  readonly text: string
  readonly service: string
  readonly namespace: string
  readonly ports: '*' | string | { readonly from: number; readonly to: number }
  readonly protocol: Protocol | '*'
}

export interface Decision {
  readonly allowed: boolean
  /** The pattern that decided, or undefined when none matched (then the answer is no). */
  readonly rule?: string
}

const shape =
  /^((?:pod\/|deploy\/)?[a-z0-9*.-]{1,127})\/([a-z0-9*-]{1,63}):(\*|[0-9]{1,5}(?:-[0-9]{1,5})?|[a-z0-9-]{1,15})(?:\/(tcp|udp))?$/

/** @throws TunnelError USAGE */
export function parsePattern(text: string): Pattern {
  const [, service, namespace, ports, protocol] = shape.exec(text) ?? []
  if (service === undefined || namespace === undefined || ports === undefined) throw badPattern(text)
  if (!isServiceGlob(service) || !isNameGlob(namespace)) throw badPattern(text)
  return {
    text,
    service,
    namespace,
    ports: parsePorts(text, ports),
    protocol: (protocol as Protocol | undefined) ?? '*',
  }
}

/** True when `pattern` covers `target`. A port given by name is covered by `*` or by the same name only. */
export function matches(pattern: Pattern, target: Target): boolean {
  if (pattern.protocol !== '*' && pattern.protocol !== target.protocol) return false
  if (!serviceMatches(pattern.service, target.service)) return false
  if (!globMatches(pattern.namespace, target.namespace)) return false
  const { ports } = pattern
  if (ports === '*') return true
  if (typeof ports === 'string') return ports === target.port
  return typeof target.port === 'number' && target.port >= ports.from && target.port <= ports.to
}

/** As `matches`, but what is denied of services is denied of pods and deployments of that name, too. */
export function denies(pattern: Pattern, target: Target): boolean {
  const { kind, name } = splitKind(target.service)
  return matches(pattern, target) || (kind !== undefined && matches(pattern, { ...target, service: name }))
}

/** Denied patterns win over allowed ones, and what no pattern allows is denied. */
export function decide(target: Target, allow: readonly Pattern[], deny: readonly Pattern[] = []): Decision {
  const denied = deny.find(pattern => denies(pattern, target))
  if (denied) return { allowed: false, rule: denied.text }
  const allowed = allow.find(pattern => matches(pattern, target))
  return allowed ? { allowed: true, rule: allowed.text } : { allowed: false }
}

/** One sentence for the refused user: who refuses what, and by which rule. */
export function explainDenial(who: string, target: Target, decision: Decision): string {
  const why = decision.rule === undefined ? 'no pattern allows it' : `the pattern ${decision.rule} denies it`
  return `${who} denies ${formatTarget(target)}: ${why}`
}

/** A name, or a name with `*` in it, that at least one RFC 1123 label can match: a pattern that never matches is a typo. */
export const isNameGlob = (text: string): boolean => isLabel(text.replaceAll('*', 'x'))

const isServiceGlob = (text: string): boolean => isServiceName(text.replaceAll('*', 'x'))

/**
 * A pod is no service whose name merely begins alike: but for `*` alone, which is every service, a star stays on its side of the dot.
 * Pods by their own names have ports that no service opens, so they must be meant.
 */
function serviceMatches(globText: string, serviceText: string): boolean {
  if (globText === serviceText) return true
  const [{ kind, name: glob }, service] = [splitKind(globText), splitKind(serviceText)]
  if (kind !== service.kind) return false
  if (glob === '*') return true
  const [globs, names] = [glob.split('.'), service.name.split('.')]
  return globs.length === names.length && globs.every((each, index) => globMatches(each, names[index] ?? ''))
}

/** `*` matches any run of characters. Linear in the text for each star, never backtracking into an earlier one. */
export function globMatches(glob: string, text: string): boolean {
  let g = 0
  let t = 0
  let star = -1
  let resumeAt = 0
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++
      resumeAt = t
    } else if (g < glob.length && glob[g] === text[t]) {
      g++
      t++
    } else if (star >= 0) {
      g = star + 1
      t = ++resumeAt
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}

function parsePorts(text: string, ports: string): Pattern['ports'] {
  if (ports === '*' || isPortName(ports)) return ports
  if (!/^[0-9]+(-[0-9]+)?$/.test(ports)) throw badPattern(text)
  const [from = 0, to = from] = ports.split('-').map(Number)
  if (from < 1 || to > 65_535 || from > to) throw badPattern(text)
  return { from, to }
}

function badPattern(text: string): TunnelError {
  return new TunnelError('USAGE', `malformed pattern ${quote(text)}`, {
    hint: 'write it as service/namespace:port, for example api/prod:8080, */dev:* or db/prod:5000-5999',
  })
}
