/**
 * The static catalogue: services that the agent's owner lists by hand, for a VM or docker compose where no cluster DNS
 * knows them. What it lists is dialled as it stands; everything else goes to the resolver.
 */
import { isIP } from 'node:net'
import { TunnelError } from '../errors.ts'
import type { PublishedPort, PublishedService } from '../net/published.ts'
import { formatTarget, parseTarget, type Target } from '../net/target.ts'

export interface CatalogueEntry {
  readonly target: Target
  /** A DNS name or an IP address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/** Host names as they occur outside Kubernetes too: docker compose allows `_`, and a trailing dot makes a name absolute. */
const hostName = /^(?=.{1,254}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i

/**
 * @param text `NAME/NS:PORT=HOST:PORT`; the left PORT may be a port name and may end in `/tcp` or `/udp`, HOST may be
 *   `[IPv6]`
 * @throws TunnelError USAGE
 */
export function parseCatalogueEntry(text: string): CatalogueEntry {
  const [, left, bracketed, plain, portText] = /^([^=]*)=(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/s.exec(text) ?? []
  if (left === undefined) throw badEntry(text, 'it is not NAME/NS:PORT=HOST:PORT')
  const host = bracketed ?? plain ?? ''
  if (!(bracketed === undefined ? isHost(host) : isIP(host) === 6))
    throw badEntry(text, `${quote(host)} is not a host name or an IP address`)
  const port = Number(portText)
  if (port < 1 || port > 65_535) throw badEntry(text, `${portText} is not a port from 1 to 65535`)
  return { target: parseLeft(text, left), host, port }
}

/** @throws TunnelError USAGE when two entries list the same target */
export class Catalogue {
  readonly #byTarget = new Map<string, CatalogueEntry>()

  constructor(entries: Iterable<CatalogueEntry> = []) {
    for (const entry of entries) {
      const key = formatTarget(entry.target)
      if (this.#byTarget.has(key))
        throw new TunnelError('USAGE', `${key} is listed twice by --service`, { hint: 'list every target once' })
      this.#byTarget.set(key, entry)
    }
  }

  /** Exact: an entry for a port name answers for that name only, an entry for a number for that number. */
  find(target: Target): CatalogueEntry | undefined {
    return this.#byTarget.get(formatTarget(target))
  }

  /** In the order they were listed. */
  targets(): Target[] {
    return Array.from(this.#byTarget.values(), entry => entry.target)
  }

  /** The same, each service once. */
  services(): PublishedService[] {
    const services = new Map<string, { service: string; namespace: string; ports: PublishedPort[] }>()
    for (const { service, namespace, port, protocol } of this.targets()) {
      const key = `${service}/${namespace}`
      const known = services.get(key) ?? { service, namespace, ports: [] }
      known.ports.push({ port, protocol })
      services.set(key, known)
    }
    return [...services.values()]
  }
}

function parseLeft(text: string, left: string): Target {
  try {
    return parseTarget(left)
  } catch (error) {
    throw badEntry(text, error instanceof Error ? error.message : String(error))
  }
}

/** A name that ends in digits is meant as IPv4, so it must be one: `10.0.0.300` is a slip of the hand, not a host. */
function isHost(text: string): boolean {
  return isIP(text) === 4 || (hostName.test(text) && !/(^|\.)[0-9]+\.?$/.test(text))
}

function badEntry(text: string, why: string): TunnelError {
  return new TunnelError('USAGE', `malformed --service ${quote(text)}: ${why}`, {
    hint: 'write it as NAME/NS:PORT=HOST:PORT, for example db/prod:5432=127.0.0.1:5432',
  })
}

const quote = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
