/** What a client may know: the agents that its token names, and the services there that it allows. */
import type { PublishedPort, PublishedService } from '../net/published.ts'
import { decideOpen } from './acl.ts'
import type { Principal } from './principal.ts'
import type { Registry } from './registry.ts'

export interface DirectoryAgent {
  readonly name: string
  /** Sorted by namespace and name. */
  readonly services: readonly PublishedService[]
  /** Milliseconds since 1970: they are as they were then. */
  readonly staleSince?: number
}

export function directoryFor(registry: Registry, principal: Principal): readonly DirectoryAgent[] {
  return registry.visibleTo(principal).map(name => {
    const published = registry.find(name)?.published
    const all = [...(published?.services ?? [])]
    const staleSince = published?.staleSince
    const services = all.flatMap(service => visible(service, principal) ?? [])
    return { name, services: services.sort(byName), ...(staleSince !== undefined && { staleSince }) }
  })
}

/** With the ports that the token allows; undefined when there is none. */
function visible(service: PublishedService, principal: Principal): PublishedService | undefined {
  const ports = service.ports.filter(port => isAllowed(service, port, principal))
  return ports.length === 0 ? undefined : { ...service, ports }
}

/** By its number or by its name: a pattern may have either. */
function isAllowed({ service, namespace }: PublishedService, port: PublishedPort, principal: Principal): boolean {
  const { protocol } = port
  const forms = port.name === undefined ? [port.port] : [port.port, port.name]
  return forms.some(form => decideOpen(principal, { service, namespace, port: form, protocol }).allowed)
}

const byName = (a: PublishedService, b: PublishedService): number =>
  a.namespace === b.namespace ? compare(a.service, b.service) : compare(a.namespace, b.namespace)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
