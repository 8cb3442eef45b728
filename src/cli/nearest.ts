/** What was meant by a name that nobody has: the one that looks most like it. */
import { distance } from 'fastest-levenshtein'
import type { PublishedService } from '../net/published.ts'
import { formatTarget, type Target } from '../net/target.ts'

/** More than so many letters, and more than this part of them, are no slip of the fingers. */
const MAX_SLIPS = 3
const MAX_PART = 0.4

/** The name that is nearest to `typed`; undefined when none is near, or one is the same. */
export function nearestName(typed: string, names: Iterable<string>): string | undefined {
  const ranked = [...names].map(name => ({ name, far: slips(typed, name) })).sort((a, b) => a.far - b.far)
  const [best] = ranked
  return best === undefined || best.far === 0 || best.far === Number.POSITIVE_INFINITY ? undefined : best.name
}

/**
 * The published target that is nearest to `typed`: with a slip in service or namespace, with both the other way round, or with
 * another port. Undefined when none is near, or one is the same.
 */
export function nearestTarget(typed: Target, services: readonly PublishedService[]): string | undefined {
  let best: { readonly target: string; readonly far: number } | undefined
  for (const { service, namespace, ports } of services) {
    const straight = slips(typed.service, service) + slips(typed.namespace, namespace)
    const turned = typed.service === namespace && typed.namespace === service ? 1 : Number.POSITIVE_INFINITY
    for (const { port, name, protocol } of ports) {
      const samePort = protocol === typed.protocol && (port === typed.port || name === typed.port)
      const far = Math.min(straight, turned) + (samePort ? 0 : 0.5)
      if (far === 0) return undefined
      const target = formatTarget({ service, namespace, port, protocol })
      if (far !== Number.POSITIVE_INFINITY && (best === undefined || far < best.far)) best = { target, far }
    }
  }
  return best?.target
}

/** Letters that differ; infinitely many when it cannot be a slip. */
function slips(typed: string, name: string): number {
  // Two letters in the wrong order are one slip, not two.
  const far = typed !== name && sorted(typed) === sorted(name) ? 1 : distance(typed, name)
  const most = Math.min(MAX_SLIPS, Math.max(1, Math.floor(MAX_PART * Math.max(typed.length, name.length))))
  return far <= most ? far : Number.POSITIVE_INFINITY
}

const sorted = (text: string): string => [...text].sort().join('')
