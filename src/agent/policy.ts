/**
 * What this agent is willing to dial. The gateway's acl has already decided for the principal; the agent's owner may only
 * narrow that, by patterns, and never has to trust the gateway for it.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { TunnelError } from '../errors.ts'
import { decide, denies, explainDenial, matches, type Pattern, parsePattern } from '../net/pattern.ts'
import { formatTarget, type Target } from '../net/target.ts'
import type { Aliases } from './aliases.ts'
import { type ExternalPattern, isAllowedExternal } from './external.ts'

export interface PolicyOptions {
  /** Empty: everything that is not denied. */
  readonly allow: readonly Pattern[]
  /** Wins over `allow`. A port name is dialled by its number, so deny numbers: they cover the names too. */
  readonly deny: readonly Pattern[]
  /** Hosts outside of the cluster that a service may lead to. Absent: none. */
  readonly external?: readonly ExternalPattern[]
  /** Lets a service name resolve to the agent's own loopback. Default false. */
  readonly loopback?: boolean
}

const EVERYTHING = ['*/*:*', 'pod/*/*:*', 'deploy/*/*:*'].map(parsePattern)

export class Policy {
  readonly #allow: readonly Pattern[]
  readonly #deny: readonly Pattern[]
  readonly #external: readonly ExternalPattern[]
  readonly #noService: BlockList
  readonly #never = blockList(neverServices)

  constructor({ allow, deny, external = [], loopback = false }: PolicyOptions) {
    this.#external = external
    this.#allow = allow.length > 0 ? allow : EVERYTHING
    this.#deny = deny
    this.#noService = loopback ? this.#never : blockList([...neverServices, ...loopbacks])
  }

  /** @throws TunnelError DENIED */
  check(target: Target): void {
    const decision = decide(target, this.#allow, this.#deny)
    if (!decision.allowed) throw denied(explainDenial('the agent', target, decision))
  }

  /**
   * To be asked once the name is resolved: whoever may write a Service object decides what its name means, and could
   * point it at a cloud's metadata server, or give a denied port a name.
   * @param addresses not empty
   * @returns the addresses that may be dialled, in the same order, not empty
   * @throws TunnelError DENIED
   */
  checkResolved<A extends { readonly address: string }>(target: Target, addresses: readonly A[], port: number): A[] {
    const rule = this.#deny.find(pattern => denies(pattern, { ...target, port }))
    if (rule) throw denied(explainDenial('the agent', target, { allowed: false, rule: rule.text }))
    return checked(target, addresses, this.#noService, 'list it with --service if it is really meant')
  }

  /**
   * To be asked once it is known what the name of a service stands for. Services that it leads over are judged as if they had been asked for;
   * those of another namespace, for which the token says nothing, and what is outside of the cluster, must be allowed by their names.
   * @throws TunnelError DENIED
   */
  checkAliases(target: Target, { services, external }: Aliases, port: number): void {
    for (const { host, ...service } of services) {
      // What was asked for, and judged already.
      if (service.service === target.service && service.namespace === target.namespace) continue
      if (service.namespace !== target.namespace) this.#checkExternal(target, host, port, 'out of its namespace')
      this.check({ ...target, ...service, port })
    }
    if (external !== undefined) this.#checkExternal(target, external, port, 'out of the cluster')
  }

  #checkExternal(target: Target, host: string, port: number, where: string): void {
    if (isAllowedExternal(this.#external, host, port)) return
    throw denied(
      `the agent denies ${formatTarget(target)}: it leads ${where}, to ${host}:${port}`,
      `ask the owner of the agent for --allow-external ${host}:${port}`,
    )
  }

  /**
   * For hosts that the owner has listed by a name: what it resolves to is for others to say, and may be this machine, but never what
   * no service has.
   * @returns the addresses that may be dialled, not empty
   * @throws TunnelError DENIED
   */
  checkListed<A extends { readonly address: string }>(target: Target, host: string, addresses: readonly A[]): A[] {
    if (isIP(host) !== 0) return [...addresses]
    return checked(target, addresses, this.#never, `list its address in place of ${host} if it is really meant`)
  }

  /**
   * For pods: what is denied of a service is denied of its pods, at whatever port, for theirs need not be the service's.
   * @param services whose pods they are
   * @throws TunnelError DENIED
   */
  checkServices(target: Target, services: readonly string[]): void {
    const isDenied = (pattern: Pattern) =>
      services.some(service => matches({ ...pattern, ports: '*' }, { ...target, service }))
    const rule = this.#deny.find(isDenied)
    if (rule) throw denied(explainDenial('the agent', target, { allowed: false, rule: rule.text }))
  }
}

function checked<A extends { readonly address: string }>(
  target: Target,
  addresses: readonly A[],
  never: BlockList,
  hint: string,
): A[] {
  const allowed = addresses.filter(({ address }) => !never.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))
  if (allowed.length > 0) return allowed
  const why = `it resolves to ${addresses[0]?.address}, which is no address of a service`
  throw denied(`the agent denies ${formatTarget(target)}: ${why}`, hint)
}

type Subnet = readonly [address: string, prefix: number]

/** Unspecified, link-local with the metadata servers of the clouds, multicast, broadcast: Kubernetes proxies none of them. */
const neverServices: readonly Subnet[] = [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
  ['::', 128],
  ['fe80::', 10],
  ['fd00:ec2::254', 128],
  ['ff00::', 8],
]
const loopbacks: readonly Subnet[] = [
  ['127.0.0.0', 8],
  ['::1', 128],
]

/** Node's BlockList finds IPv4 in IPv4-mapped IPv6 by itself; the NAT64 prefix (RFC 6052) must be spelled out. */
function blockList(subnets: readonly Subnet[]): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of subnets) {
    list.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4')
    if (!isIPv6(address)) list.addSubnet(`64:ff9b::${address}`, 96 + prefix, 'ipv6')
  }
  return list
}

function denied(message: string, hint = 'ask the owner of the agent to allow this target'): TunnelError {
  return new TunnelError('DENIED', message, { hint })
}
