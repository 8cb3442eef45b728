/** The flags of `tunnelctl agent` that are about discovering services, and what they mean. */
import type { Option } from 'commander'
import { Discovery, type DiscoveryOptions } from '../agent/discovery.ts'
import { systemClock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { type ApiAccess, KubernetesApi, podAccess } from '../kubernetes/api.ts'
import { quote } from '../net/quote.ts'
import { isLabel } from '../net/target.ts'
import { option, repeated } from './options.ts'

export interface DiscoveryFlags {
  readonly discovery: 'off' | 'cluster' | 'namespaces'
  readonly discoveryNamespaces?: readonly string[]
  readonly discoverySelector?: string
  readonly kubernetesApi?: string
}

export const discoveryOptions = (): Option[] => [
  option('--discovery <scope>', 'tell of the services of the whole cluster, of some namespaces, or of none: off')
    .choices(['off', 'cluster', 'namespaces'])
    .default('off'),
  repeated('--discovery-namespaces <name...>', 'those whose services are told of'),
  option('--discovery-selector <labels>', 'only services with these labels, as kubectl -l has them'),
  option('--kubernetes-api <url>', "where to ask; default: the pod's own cluster, with its account"),
]

/**
 * Undefined when nothing is to be discovered.
 * @throws TunnelError USAGE
 */
export function discoveryFrom(
  flags: DiscoveryFlags,
  { env, ...options }: Pick<DiscoveryOptions, 'listed' | 'log' | 'changed'> & { env: NodeJS.ProcessEnv },
): Discovery | undefined {
  const { discovery, discoveryNamespaces: namespaces, discoverySelector: labelSelector } = flags
  if (discovery === 'off') return undefined
  const wrong = namespaces?.find(name => !isLabel(name))
  if (wrong !== undefined) throw new TunnelError('USAGE', `${quote(wrong)} is not the name of a namespace`)
  if ((discovery === 'namespaces') !== (namespaces !== undefined)) {
    throw new TunnelError('USAGE', '--discovery namespaces and --discovery-namespaces go together')
  }
  return new Discovery({
    api: new KubernetesApi(accessFrom(flags, env)),
    ...(namespaces !== undefined && { namespaces }),
    ...(labelSelector !== undefined && { labelSelector }),
    clock: systemClock,
    wallNow: Date.now,
    random: Math.random,
    ...options,
  })
}

function accessFrom({ kubernetesApi }: DiscoveryFlags, env: NodeJS.ProcessEnv): ApiAccess {
  if (kubernetesApi !== undefined && /^https?:/.test(kubernetesApi) && URL.canParse(kubernetesApi)) {
    return { url: new URL(kubernetesApi) }
  }
  if (kubernetesApi !== undefined) throw new TunnelError('USAGE', `--kubernetes-api ${quote(kubernetesApi)} is no URL`)
  const access = podAccess(env)
  if (access !== undefined) return access
  throw new TunnelError('USAGE', 'discovery needs a cluster, and this is no pod of one', {
    hint: 'give --kubernetes-api http://127.0.0.1:8001 beside: kubectl proxy',
  })
}
