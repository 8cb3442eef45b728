/** Which agent a request goes through, when its route names none. */
import { TunnelError } from '../../errors.ts'
import { directoryFor } from '../directory.ts'
import type { Principal } from '../principal.ts'
import type { Registry } from '../registry.ts'
import { Failure } from './failure.ts'
import { ingressPrincipal } from './principal.ts'
import type { Route } from './routes.ts'

/**
 * The one that the route names; or the only one that is connected and that the caller may use; or of several the only one that
 * publishes the service.
 * @throws TunnelError AGENT_UNAVAILABLE, Failure 404 when the host must say which
 */
export function chooseAgent(
  registry: Registry,
  { agent, target }: Route,
  principal: Principal = ingressPrincipal,
): string {
  if (agent !== undefined) return agent
  const here = registry.visibleTo(principal)
  const [first] = here
  if (first === undefined) throw new TunnelError('AGENT_UNAVAILABLE', 'no agent is connected')
  if (here.length === 1) return first
  const publishing = directoryFor(registry, principal).filter(({ services }) =>
    services.some(({ service, namespace }) => service === target.service && namespace === target.namespace),
  )
  const [only] = publishing
  if (only !== undefined && publishing.length === 1) return only.name
  throw new Failure(404, 'WHICH_AGENT', 'Several clusters are connected: the host must name one.')
}
