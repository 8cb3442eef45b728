/** Who may reach the pods, and whom they may reach. */
import { ADMIN_PORT } from './deployment.ts'
import type { Discovery } from './install.ts'
import { metadataOf, type Named, selectorOf } from './metadata.ts'
import type { Egress, NetworkPolicy, Peer } from './objects.ts'

/** Anywhere but the machine's own metadata service, where clouds keep credentials. */
const anywhere: readonly Peer[] = [
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.169.254/32'] } },
  { ipBlock: { cidr: '::/0', except: ['fd00:ec2::254/128'] } },
]

const dns: Egress = {
  // Without a destination: a name server may be a pod, or at an address of the node.
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
}

const outTo = (...ports: readonly number[]): Egress => ({
  to: anywhere,
  ports: [...new Set(ports)].map(port => ({ protocol: 'TCP', port })),
})

/** Of clusters that hide it behind a Service, and of those that do not. */
const apiServer = outTo(443, 6443)

/** Probes come in; names, the gateway, the API server where it is asked, and pods are reached. */
export const agentNetworkPolicy = (named: Named, gatewayPort: number, discovery: Discovery): NetworkPolicy =>
  policy(named, [ADMIN_PORT], agentEgress(gatewayPort, discovery))

export function agentEgress(gatewayPort: number, discovery: Discovery): Egress[] {
  const pods = discovery.mode === 'namespaces' ? inNamespaces(discovery.namespaces) : { namespaceSelector: {} }
  const asked = discovery.mode === 'off' ? [] : [apiServer]
  return [dns, outTo(gatewayPort), ...asked, { to: [pods] }]
}

/** It dials nobody but the issuers of tokens, and the API server that reviews some. */
export const gatewayNetworkPolicy = (
  named: Named,
  port: number,
  asks: { readonly issuers: boolean; readonly apiServer: boolean },
): NetworkPolicy =>
  policy(named, [port, ADMIN_PORT], [...(asks.issuers ? issuerEgress : []), ...(asks.apiServer ? [apiServer] : [])])

const issuerEgress: Egress[] = [dns, outTo(443)]

const inNamespaces = (values: readonly string[]): Peer => ({
  namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }] },
})

function policy(named: Named, open: readonly number[], egress: readonly Egress[]): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(named),
    spec: {
      podSelector: { matchLabels: selectorOf(named) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: open.map(port => ({ protocol: 'TCP', port })) }],
      egress,
    },
  }
}
