/**
 * What the agent dials: `service/namespace:port[/udp]`, in every form a user may type it, and nothing else.
 * One parser serves the developer's command line, the gateway's acl and the agent's policy, so that no two of them can
 * disagree about what a target means.
 */
import { isIPv6 } from 'node:net'
import { TunnelError } from '../errors.ts'
import { quote } from './quote.ts'

export type Protocol = 'tcp' | 'udp'

export interface Target {
  /** Or `pod.service`, a pod of a headless service; or `pod/NAME` or `deploy/NAME`. */
  readonly service: string
  readonly namespace: string
  /** A number, or the name of a port of the service. */
  readonly port: number | string
  readonly protocol: Protocol
}

/** A local listener bound to one target. `address` undefined: both loopbacks; `port` undefined: the target's if free. */
export interface Forward {
  readonly target: Target
  readonly address?: string
  readonly port?: number
  /** A Unix socket, in place of address and port. */
  readonly path?: string
}

/** RFC 1123 label, as Kubernetes names services and namespaces. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** IANA service name (RFC 6335, 5.1), as Kubernetes names ports: it has a letter, so it is never mistaken for a number. */
const portName = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/
const decimal = /^[0-9]{1,5}$/

export const isLabel = (text: string): boolean => label.test(text)
/** What a pod, or one of the pods of a deployment, is asked for with; a service has no kind before its name. */
export const POD_KINDS = ['pod', 'deploy'] as const
export type PodKind = (typeof POD_KINDS)[number]

/** A service, a pod of a headless one by its host name (`pg-0.pg`), or `pod/NAME` or `deploy/NAME`. */
export function isServiceName(text: string): boolean {
  // Nearly every one is.
  if (isLabel(text)) return true
  const { kind, name } = splitKind(text)
  const labels = name.split('.')
  return labels.length <= (kind === undefined ? 2 : 1) && labels.every(isLabel)
}

/** `pod/web-0` is `web-0` of kind `pod`; the name of a service has no kind. */
export function splitKind(service: string): { readonly kind: PodKind | undefined; readonly name: string } {
  const slash = service.indexOf('/')
  const kind = slash < 0 ? undefined : POD_KINDS.find(each => each === service.slice(0, slash))
  return { kind, name: kind === undefined ? service : service.slice(slash + 1) }
}
export const isPortName = (text: string): boolean => portName.test(text)

/** Whether the text takes its namespace from elsewhere, if there is one: `db:5432`, `svc/db:5432`, `LOCAL:db:5432`. */
export function lacksNamespace(text: string): boolean {
  const namespaceWith = (namespace: string): string | undefined => {
    try {
      return parseForward(text, namespace).target.namespace
    } catch {
      return undefined
    }
  }
  return namespaceWith('a') === 'a' && namespaceWith('b') === 'b'
}

/** The target in its first form. `parseTarget(formatTarget(t))` equals `t`. */
export function formatTarget(target: Target): string {
  const { service, namespace, port, protocol } = target
  return `${service}/${namespace}:${port}${protocol === 'udp' ? '/udp' : ''}`
}

/**
 * @param text `service/namespace:port`, `pod.service/namespace:port`, `service.namespace:port`, `service.namespace.svc[.domain]:port`,
 *   `(svc|pod|deploy)/name/namespace:port`, or, when `namespace` is given, `[svc/|pod/|deploy/]name:port`; each may end in `/tcp` or
 *   `/udp`
 * @throws TunnelError BAD_TARGET
 */
export function parseTarget(text: string, namespace?: string): Target {
  const [, host, portText, protocol = 'tcp'] = /^(.*):([^:/]*)(?:\/(tcp|udp))?$/s.exec(text) ?? []
  if (host === undefined || portText === undefined) {
    throw badTarget(text, /:[0-9]+\/[^/]*$/.test(text) ? 'only /tcp or /udp may follow the port' : 'it has no port')
  }
  return makeTarget(text, { ...parseHost(text, host, namespace), port: parsePort(text, portText), protocol })
}

/**
 * @param text a target, or `LOCAL:target`, or `BIND:LOCAL:target`, or `unix:PATH:target`; `LOCAL` 0 means any free port, `BIND` may
 *   be `[::1]`
 * @throws TunnelError BAD_TARGET
 */
export function parseForward(text: string, namespace?: string): Forward {
  const [, path, behind] = /^unix:(.+?):([^:]+:[^:]+)$/s.exec(text) ?? []
  if (path !== undefined && behind !== undefined) return { target: parseTarget(behind, namespace), path }
  const [, address, localText, rest] = /^(?:([^:/[\]]+|\[[0-9A-Fa-f:.]+\]):)?([0-9]+):(.*:.*)$/s.exec(text) ?? []
  if (localText === undefined || rest === undefined) return { target: parseTarget(text, namespace) }
  const port = Number(localText)
  if (port > 65_535) throw badTarget(text, `the local port ${quote(localText)} is over 65535`)
  const target = parseTarget(rest, namespace)
  return address === undefined ? { target, port } : { target, port, address: parseBind(text, address) }
}

/**
 * The target out of a decoded JSON value from the wire. Only the known fields are read.
 * @throws TunnelError BAD_TARGET
 */
export function targetFromJson(value: unknown): Target {
  const { service, namespace, port, protocol } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    keyof Target,
    unknown
  >
  if (typeof service !== 'string' || typeof namespace !== 'string') throw badTarget('', 'service or namespace missing')
  if (typeof port !== 'number' && typeof port !== 'string') throw badTarget('', 'port missing')
  if (protocol !== 'tcp' && protocol !== 'udp') throw badTarget('', 'protocol is neither tcp nor udp')
  return makeTarget(`${service}/${namespace}:${port}`, { service, namespace, port, protocol })
}

function makeTarget(
  text: string,
  target: { service: string; namespace: string; port: number | string; protocol: string },
): Target {
  const { service, namespace, port } = target
  if (!isServiceName(service)) throw badTarget(text, `${quote(service)} is not a service name`)
  if (!label.test(namespace)) throw badTarget(text, `${quote(namespace)} is not a namespace`)
  const valid = typeof port === 'number' ? Number.isInteger(port) && port >= 1 && port <= 65_535 : portName.test(port)
  if (!valid) throw badTarget(text, `${quote(String(port))} is not a port from 1 to 65535 or a port name`)
  return { service, namespace, port, protocol: target.protocol === 'udp' ? 'udp' : 'tcp' }
}

function parseHost(text: string, host: string, fallback: string | undefined): { service: string; namespace: string } {
  const [, kind, name = '', space = fallback] = /^(svc|pod|deploy)\/([^/]+)(?:\/([^/]+))?$/.exec(host) ?? []
  if (kind !== undefined && space !== undefined && (kind !== 'svc' || isLabel(name))) {
    return { service: kind === 'svc' ? name : `${kind}/${name}`, namespace: space }
  }
  const slash = kind === 'svc' && fallback !== undefined ? ['', ''] : host.split('/')
  if (slash.length === 2 && slash[1] !== '') return { service: slash[0] ?? '', namespace: slash[1] ?? '' }
  const bare = host.replace(/^svc\//, '')
  const [service = '', namespace, svc, ...domain] = bare.split('.')
  const absolute = domain.length > 1 && domain.at(-1) === '' ? domain.slice(0, -1) : domain
  if (namespace !== undefined && (svc === undefined || svc === 'svc') && absolute.every(isLabel))
    return { service, namespace }
  if (namespace === undefined && fallback !== undefined) return { service, namespace: fallback }
  if (namespace === undefined && isLabel(service))
    throw badTarget(text, 'it has no namespace', `write ${service}/NAMESPACE:port, or add -n NAMESPACE`)
  throw badTarget(text, `${quote(host)} names no service and namespace`)
}

/** An IPv6 address in brackets, an IPv4 address or a host name. */
function parseBind(text: string, address: string): string {
  const bare = address.replace(/^\[|\]$/g, '')
  const valid = bare === address ? /^(?=.*[A-Za-z.])[A-Za-z0-9.-]{1,253}$/.test(bare) : isIPv6(bare)
  if (!valid) throw badTarget(text, `${quote(address)} is not an address to listen on`)
  return bare
}

function parsePort(text: string, port: string): number | string {
  if (port === '') throw badTarget(text, 'it has no port')
  return decimal.test(port) ? Number(port) : port
}

function badTarget(text: string, why: string, hint?: string): TunnelError {
  const message = text === '' ? `malformed target: ${why}` : `malformed target ${quote(text)}: ${why}`
  return new TunnelError('BAD_TARGET', message, hint === undefined ? {} : { hint })
}
