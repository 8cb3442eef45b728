/** Which target a request is for, by its host and path. */
import type { BlockList } from 'node:net'
import { isAgentName } from '../../net/claims.ts'
import { formatTarget, isLabel, isPortName, type Target } from '../../net/target.ts'

export interface Route {
  readonly target: Target
  /** Absent: the one that the caller may use and that is connected. */
  readonly agent?: string
  readonly access: 'token' | 'public'
  /** Clients from elsewhere are refused. Absent: from anywhere. */
  readonly allowed?: BlockList
  /** Upgrade tokens that may pass, in lower case. */
  readonly upgrades: ReadonlySet<string>
  /** Until the service has begun to answer. */
  readonly responseTimeoutMs: number
  /** An upgraded connection, or a transfer, that stands still for this long is ended. */
  readonly idleTimeoutMs: number
  /** Set on every request, in place of what the client has sent. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** TLS connections that ask for the host go to the service as they are: it has the certificate. */
  readonly passthrough: boolean
}

export interface HostRoute {
  /** In lower case; with `*` in place of the first label. */
  readonly host: string
  /** Begins with a slash: matches itself and what is below it. */
  readonly path: string
  readonly route: Route
}

export type RouteDefaults = Pick<Route, 'responseTimeoutMs' | 'idleTimeoutMs'>

const MAX_BELOW = 1_024
const WEBSOCKET: ReadonlySet<string> = new Set(['websocket'])

/** Looks at exact hosts first, then at wildcards, then at the ingress domain; of one host, at the longest path first. */
export class Routes {
  readonly #exact = new Map<string, HostRoute[]>()
  readonly #domain: string | undefined
  readonly #publicTarget: (target: Target) => boolean
  readonly #defaults: RouteDefaults
  /** What was found for labels below the domain; undefined for those that stand for no target. */
  readonly #below = new Map<string, Route | undefined>()

  constructor(options: {
    readonly routes: readonly HostRoute[]
    /** `D` of `<service>--<namespace>--<port>[--<agent>].D`. */
    readonly domain?: string | undefined
    /** Which targets need no token below the domain. */
    readonly isPublic: (target: Target) => boolean
    readonly defaults: RouteDefaults
  }) {
    this.#domain = options.domain?.toLowerCase()
    this.#publicTarget = options.isPublic
    this.#defaults = options.defaults
    for (const each of options.routes) this.#exact.set(each.host, [...(this.#exact.get(each.host) ?? []), each])
    for (const routes of this.#exact.values()) routes.sort((a, b) => b.path.length - a.path.length)
  }

  /** Whether any request for this host could have a route. */
  knows(host: string): boolean {
    return this.#candidates(host) !== undefined || this.#belowDomain(host) !== undefined
  }

  /** @param path of the request, without its query */
  find(host: string, path: string): Route | undefined {
    const candidates = this.#candidates(host)
    if (candidates !== undefined) return candidates.find(each => isBelow(path, each.path))?.route
    const label = this.#belowDomain(host)
    if (label === undefined) return undefined
    if (this.#below.has(label)) return this.#below.get(label)
    const route = this.#routeOf(label)
    // Anybody may ask for any label: what was found for those that nobody uses must not stay.
    if (this.#below.size === MAX_BELOW) this.#below.clear()
    this.#below.set(label, route)
    return route
  }

  #routeOf(label: string): Route | undefined {
    const named = targetOfLabel(label)
    if (named === undefined) return undefined
    const access = this.#publicTarget(named.target) ? 'public' : 'token'
    return { ...named, ...this.#defaults, access, upgrades: WEBSOCKET, headers: [], passthrough: false }
  }

  /** A host whose root is this target: one that the operator has written, or else the one below the domain. */
  hostFor(target: Target, agent: string | undefined): string | undefined {
    const wanted = formatTarget(target)
    for (const [host, routes] of this.#exact) {
      const root = routes.find(({ path }) => path === '/')?.route
      // Where TLS passes as it is, the service would get the code.
      const same = root?.passthrough === false && formatTarget(root.target) === wanted
      if (same && !host.startsWith('*') && (agent === undefined || (root.agent ?? agent) === agent)) return host
    }
    if (this.#domain === undefined) return undefined
    const { service, namespace, port } = target
    const label = [service, namespace, port, ...(agent === undefined ? [] : [agent])].join('--')
    // What no DNS label can hold has no host here.
    return label.length <= 63 && targetOfLabel(label) !== undefined ? `${label}.${this.#domain}` : undefined
  }

  #candidates(host: string): readonly HostRoute[] | undefined {
    const dot = host.indexOf('.')
    return this.#exact.get(host) ?? (dot < 0 ? undefined : this.#exact.get(`*${host.slice(dot)}`))
  }

  /** The one label in front of the domain. */
  #belowDomain(host: string): string | undefined {
    const domain = this.#domain
    if (domain === undefined || !host.endsWith(`.${domain}`)) return undefined
    const label = host.slice(0, -domain.length - 1)
    return label.includes('.') ? undefined : label
  }
}

/** `web--prod--80`, `web--prod--http--office`. */
function targetOfLabel(label: string): Pick<Route, 'target' | 'agent'> | undefined {
  const [service = '', namespace = '', portText = '', agent, ...more] = label.split('--')
  if (more.length > 0 || !isLabel(service) || !isLabel(namespace)) return undefined
  if (agent !== undefined && !isAgentName(agent)) return undefined
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : portText
  if (typeof port === 'number' ? port < 1 || port > 65_535 : !isPortName(port)) return undefined
  return { target: { service, namespace, port, protocol: 'tcp' }, ...(agent !== undefined && { agent }) }
}

/** Whole segments: `/a` is above `/a/b` and not above `/ab`. */
function isBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/'
}
