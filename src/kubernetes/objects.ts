/** What tunnelctl reads of Services and EndpointSlices, picked field by field: an object of the API is data from the wire. */
import type { PublishedPort } from '../net/published.ts'
import { isLabel, isPortName, type Protocol } from '../net/target.ts'

export interface ClusterService {
  readonly service: string
  readonly namespace: string
  readonly ports: readonly PublishedPort[]
  /** Kubernetes finds its endpoints itself, so that none ready means that nobody answers. */
  readonly selects: boolean
}

/** Part of a service's endpoints. */
export interface Slice {
  /** Its own name, unique in the namespace. */
  readonly name: string
  readonly service: string
  readonly namespace: string
  readonly endpoints: readonly Endpoint[]
  /** Of the pods, not of the service. */
  readonly ports: readonly EndpointPort[]
}

export interface Endpoint {
  /** Undefined for what is no pod. */
  readonly pod: string | undefined
  readonly address: string
  readonly ready: boolean
}

interface EndpointPort {
  /** As the service calls it. */
  readonly name: string
  readonly port: number
  readonly protocol: Protocol
}

/** On a Service, `false` hides it. */
const EXPOSE_ANNOTATION = 'tunnelctl.dev/expose'

type Fields = Readonly<Record<string, unknown>>

/** Undefined for what is no service that could be reached, or is not to be shown. */
export function serviceFrom(object: Fields): ClusterService | undefined {
  const { name, namespace, annotations } = fields(object.metadata)
  const { ports, selector, type } = fields(object.spec)
  if (typeof name !== 'string' || !isLabel(name) || typeof namespace !== 'string' || !isLabel(namespace))
    return undefined
  if (fields(annotations)[EXPOSE_ANNOTATION] === 'false' || type === 'ExternalName') return undefined
  const read = (Array.isArray(ports) ? ports : []).flatMap(port => portFrom(fields(port)) ?? [])
  if (read.length === 0) return undefined
  return { service: name, namespace, ports: read, selects: Object.keys(fields(selector)).length > 0 }
}

export function sliceFrom(object: Fields): Slice | undefined {
  const { name, namespace, labels } = fields(object.metadata)
  const service = fields(labels)['kubernetes.io/service-name']
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof service !== 'string') return undefined
  const endpoints = Array.isArray(object.endpoints) ? object.endpoints : []
  const ports = Array.isArray(object.ports) ? object.ports : []
  return {
    ...{ name, service, namespace },
    endpoints: endpoints.flatMap(each => endpointFrom(fields(each)) ?? []),
    ports: ports.flatMap(each => {
      const port = portFrom(fields(each))
      return port?.name === undefined ? [] : { ...port, name: port.name }
    }),
  }
}

function endpointFrom({ addresses, conditions, targetRef }: Fields): Endpoint | undefined {
  // All of them are the same endpoint, and none but the first is to be used (EndpointSlice, "addresses").
  const [address] = Array.isArray(addresses) ? addresses : []
  if (typeof address !== 'string') return undefined
  const { kind, name } = fields(targetRef)
  const pod = kind === 'Pod' && typeof name === 'string' ? name : undefined
  // Who says nothing of it is ready (EndpointSlice, "Conditions").
  return { pod, address, ready: fields(conditions).ready !== false }
}

function portFrom({ port, name, protocol = 'TCP' }: Fields): (PublishedPort & { readonly port: number }) | undefined {
  const lower = protocol === 'TCP' ? 'tcp' : protocol === 'UDP' ? 'udp' : undefined
  if (lower === undefined || typeof port !== 'number' || !(port > 0 && port <= 65_535)) return undefined
  return { port, protocol: lower, ...(typeof name === 'string' && isPortName(name) && { name }) }
}

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
