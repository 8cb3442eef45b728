/** Says for every OPEN whether its principal may have it. Denied unless a pattern of the token allows it. */
import { type Decision, decide } from '../net/pattern.ts'
import type { Target } from '../net/target.ts'
import type { Principal } from './principal.ts'

/** Only role connect opens anything; an agent's token allows nothing, whatever it holds. */
export function decideOpen(principal: Principal, target: Target): Decision {
  return principal.role === 'connect' ? decide(target, principal.allow) : { allowed: false }
}
