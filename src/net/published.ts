/** What an agent tells of the services that it reaches, and what a gateway tells of them to those who may see it. */
import { isLabel, isPortName, type Protocol } from './target.ts'

export interface PublishedPort {
  /** A number, or a name where the number is not known. */
  readonly port: number | string
  /** The port's name beside its number. */
  readonly name?: string
  readonly protocol: Protocol
}

export interface PublishedService {
  readonly service: string
  readonly namespace: string
  readonly ports: readonly PublishedPort[]
  /** Set when it is known that nobody answers there now. */
  readonly ready?: false
}

const MAX_PORTS = 64

/** A service out of a decoded JSON value from the wire, with those of its ports that can be read; undefined when it is none. */
export function publishedFromJson(value: unknown): PublishedService | undefined {
  const { service, namespace, ports, ready } = fields(value)
  if (typeof service !== 'string' || !isLabel(service)) return undefined
  if (typeof namespace !== 'string' || !isLabel(namespace)) return undefined
  if (!Array.isArray(ports)) return undefined
  const read = ports.slice(0, MAX_PORTS).flatMap(port => portFromJson(port) ?? [])
  return { service, namespace, ports: read, ...(ready === false && { ready }) }
}

/** Milliseconds since 1970 out of a decoded JSON value from the wire; undefined when it is none that a date can hold. */
export const timeFromJson = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 && value <= 8.64e15 ? value : undefined

function portFromJson(value: unknown): PublishedPort | undefined {
  const { port, name, protocol } = fields(value)
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined
  const valid = typeof port === 'number' ? Number.isInteger(port) && port > 0 && port <= 65_535 : isName(port)
  if (!valid) return undefined
  return { port: port as number | string, protocol, ...(isName(name) && { name }) }
}

const isName = (value: unknown): value is string => typeof value === 'string' && isPortName(value)

const fields = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
