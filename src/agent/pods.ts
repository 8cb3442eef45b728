/** From `pod/NAME` and `deploy/NAME` to addresses: by the endpoints of services, which alone are watched. */
import { isIP } from 'node:net'
import { TunnelError } from '../errors.ts'
import type { Endpoint, Slice } from '../kubernetes/objects.ts'
import { formatTarget, type PodKind, splitKind, type Target } from '../net/target.ts'
import { type Address, MAX_ADDRESSES, type Resolved } from './resolver.ts'

export interface Pods extends Resolved {
  /** Whose endpoints they are. */
  readonly services: readonly string[]
}

/** Kubernetes makes the hash and the ending of a pod's name of these letters, so that `web` has no pods of `web-api`. */
const OF_REPLICA_SET = /^-[bcdfghjklmnpqrstvwxz2456789]{1,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$/

/**
 * @param target of kind `pod`, who is dialled also when not ready, or `deploy`
 * @param slices those of its namespace
 * @param random from 0 up to 1: which pod of a deployment comes first
 * @throws TunnelError UNREACHABLE
 */
export function podsOf(target: Target, slices: Iterable<Slice>, random: () => number): Pods {
  const { kind, name } = splitKind(target.service)
  const found = new Map<string, Address>()
  const services = new Set<string>()
  let port = typeof target.port === 'number' ? target.port : undefined
  let known = false
  for (const slice of slices) {
    for (const endpoint of slice.endpoints) {
      if (!isMeant(endpoint, kind, name)) continue
      known = true
      const address = kind === 'pod' || endpoint.ready ? addressOf(endpoint) : undefined
      if (address === undefined) continue
      found.set(address.address, address)
      services.add(slice.service)
      port ??= slice.ports.find(each => each.name === target.port && each.protocol === target.protocol)?.port
    }
  }
  const addresses = [...found.values()]
  if (addresses.length === 0) throw nobody(target, known)
  if (port === undefined) throw unreachable(target, 'no service has a port of this name for it', `write its number`)
  const turn = Math.floor(random() * addresses.length)
  return {
    addresses: [...addresses.slice(turn), ...addresses.slice(0, turn)].slice(0, MAX_ADDRESSES),
    port,
    services: [...services],
  }
}

function isMeant({ pod }: Endpoint, kind: PodKind | undefined, name: string): boolean {
  if (pod === undefined || kind === 'pod') return pod === name
  return pod.startsWith(name) && OF_REPLICA_SET.test(pod.slice(name.length))
}

function addressOf({ address }: Endpoint): Address | undefined {
  const family = isIP(address)
  return family === 4 || family === 6 ? { address, family } : undefined
}

function nobody(target: Target, known: boolean): TunnelError {
  const why = known ? 'none of its pods is ready' : 'no service has such a pod behind it'
  return unreachable(target, why, `see: kubectl get pods -n ${target.namespace}`)
}

const unreachable = (target: Target, why: string, hint: string): TunnelError =>
  new TunnelError('UNREACHABLE', `cannot reach ${formatTarget(target)}: ${why}`, { hint })
