/**
 * What a name in cluster DNS really stands for. A Service of type ExternalName is an alias (CNAME), and whoever may write one could
 * lead out of the cluster with it, or round a pattern that denies another service.
 */
import type { promises as dns } from 'node:dns'

export interface Aliases {
  /** Services of this cluster that the name leads over, with their names in DNS. */
  readonly services: readonly { readonly service: string; readonly namespace: string; readonly host: string }[]
  /** The first name outside of the cluster's services; absent: it leads to none. */
  readonly external?: string
}

export const NO_ALIASES: Aliases = { services: [] }

/** Longer chains are not followed, here and by name servers (CoreDNS follows 7). */
const MAX_ALIASES = 8

/**
 * Follows the aliases of `names`, which are absolute. Rejects with what the name server says, other than that there is no alias.
 * @param domain of the cluster, without dots around it
 */
export async function aliasesOf(
  names: readonly string[],
  domain: string,
  nameServer: Pick<dns.Resolver, 'resolveCname'>,
): Promise<Aliases> {
  const services: { service: string; namespace: string; host: string }[] = []
  for (const first of names) {
    // A record of SRV may lead anywhere: also to another service, or to the pods of one.
    const begin = serviceIn(first.toLowerCase(), domain)
    if (begin === undefined) return { services, external: first.replace(/\.$/, '') }
    const service = begin.service.replace(/^.*\./, '')
    services.push({ service, namespace: begin.namespace, host: first.replace(/\.$/, '') })
    let name: string | undefined = first
    for (let count = 0; name !== undefined; count++) {
      name = await aliasOf(name, nameServer)
      if (name === undefined) break
      const service = serviceIn(name, domain)
      if (service === undefined || count === MAX_ALIASES) return { services, external: name.replace(/\.$/, '') }
      services.push({ ...service, host: name.replace(/\.$/, '') })
    }
  }
  return { services }
}

async function aliasOf(name: string, nameServer: Pick<dns.Resolver, 'resolveCname'>): Promise<string | undefined> {
  try {
    const [alias] = await nameServer.resolveCname(name)
    return alias === undefined ? undefined : `${alias.toLowerCase().replace(/\.$/, '')}.`
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENODATA' || code === 'ENOTFOUND') return undefined
    throw thrown
  }
}

/** `SERVICE.NAMESPACE.svc.DOMAIN.`, also that of a pod of a headless service. */
function serviceIn(name: string, domain: string): { service: string; namespace: string } | undefined {
  const end = `.svc.${domain.toLowerCase()}.`
  if (!name.endsWith(end)) return undefined
  const labels = name.slice(0, -end.length).split('.')
  const namespace = labels.pop()
  if (namespace === undefined || labels.length < 1 || labels.length > 2) return undefined
  return { service: labels.join('.'), namespace }
}
