/** Bases for kustomize: the objects themselves, a file for each kind. */
import { agentObjects } from '../manifests/agent.ts'
import { agentFrom, gatewayFrom, IMAGE } from '../manifests/flags.ts'
import { gatewayObjects } from '../manifests/gateway.ts'
import type { KubernetesObject } from '../manifests/objects.ts'
import { yamlDocuments, yamlOf } from '../manifests/print.ts'
import type { Files } from './chart.ts'

const MADE = 'Made from the objects of tunnelctl manifests by: npm run manifests'

const place = (version: string) => ({ namespace: 'tunnelctl', image: `${IMAGE}:${version}`, output: 'yaml' }) as const

/** An overlay says which gateway. */
export const agentBase = (version: string): Files =>
  base(
    agentObjects(
      agentFrom({ ...place(version), replicas: '2', gateway: 'wss://gateway.example.com', discovery: 'off' }),
    ),
  )

/** An overlay puts an edge in front. */
export const gatewayBase = (version: string): Files =>
  base(
    gatewayObjects(
      gatewayFrom({ ...place(version), replicas: '1', verifyKeySecret: 'tunnelctl-gateway', ingress: 'none' }),
    ),
  )

function base(objects: readonly KubernetesObject[]): Files {
  const files = objects.map(object => [`${object.kind.toLowerCase()}.yaml`, yamlDocuments([object], [MADE])] as const)
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: files.map(([name]) => name),
  }
  return { 'kustomization.yaml': `# ${MADE}\n${yamlOf(kustomization)}`, ...Object.fromEntries(files) }
}
