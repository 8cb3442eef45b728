/** Which agent, when the user has named none. */
import { TunnelError } from '../errors.ts'
import type { Welcome } from '../mux/link.ts'

const MAX_SHOWN = 10

/**
 * The one agent that the token allows and that is connected, as the gateway says in WELCOME.
 * @throws TunnelError AGENT_UNAVAILABLE when there is none, USAGE when there are several
 */
export function onlyAgent({ agents }: Welcome): string {
  const names = Array.isArray(agents) ? agents.filter(name => typeof name === 'string') : []
  const [only] = names
  if (only === undefined) {
    throw new TunnelError('AGENT_UNAVAILABLE', 'no agent that the token allows is connected to the gateway')
  }
  if (names.length === 1) return only
  throw new TunnelError('USAGE', `the token allows several connected agents: ${names.slice(0, MAX_SHOWN).join(', ')}`, {
    hint: 'choose one with --agent NAME',
  })
}
