/** Says for every OPEN whether its principal may have it. Denied unless a pattern of the token allows it. */
import { isMeasure, measureTarget } from '../net/measure.ts'
import { type Decision, decide } from '../net/pattern.ts'
import { formatTarget, type Target } from '../net/target.ts'
import type { Principal } from './principal.ts'

/**
 * Only role connect opens anything; an agent's token allows nothing, whatever it holds. An agent itself, as what measures the
 * path to it, is open to whoever may use it.
 */
export function decideOpen(principal: Principal, target: Target): Decision {
  if (principal.role !== 'connect') return { allowed: false }
  if (isMeasure(target)) return { allowed: true, rule: formatTarget(measureTarget) }
  return decide(target, principal.allow)
}
