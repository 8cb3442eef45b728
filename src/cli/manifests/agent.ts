/** The agent in its cluster, as objects. */
import { ADMIN_PORT, deploymentObject, disruptionBudget } from './deployment.ts'
import { discoveryAccess } from './discovery-access.ts'
import type { AgentInstall, AgentToken, Discovery } from './install.ts'
import { metadataOf, type Named, namespaceObject } from './metadata.ts'
import { agentNetworkPolicy } from './network-policy.ts'
import type { Deployment, KubernetesObject, ServiceAccount, TokenSource } from './objects.ts'

const TOKEN_FOLDER = '/var/run/secrets/tunnelctl'
/** The kubelet renews it long before. */
const TOKEN_SECONDS = 3600

/** In the order in which they can be made. */
export function agentObjects(install: AgentInstall): KubernetesObject[] {
  const { namespace, createNamespace, discovery, gatewayPort } = install
  const named = agentNamed(install)
  return [
    ...(createNamespace ? [namespaceObject(namespace)] : []),
    serviceAccount(named),
    ...discoveryAccess(named, discovery),
    agentNetworkPolicy(named, gatewayPort, discovery),
    agentDeployment(install),
    disruptionBudget(named),
  ]
}

export const agentNamed = ({ object, namespace }: Pick<AgentInstall, 'object' | 'namespace'>): Named => ({
  object,
  namespace,
  component: 'agent',
})

/** Whoever writes ws:// or http:// means it, and the cluster's own network is theirs. */
export const ALLOW_PLAINTEXT = { name: 'TUNNELCTL_ALLOW_PLAINTEXT', value: 'true' }

export function agentDeployment(install: AgentInstall): Deployment {
  const { image, replicas, gateway, object, namespace, token, allow, deny, discovery } = install
  return deploymentObject({
    named: agentNamed(install),
    image,
    replicas,
    args: [
      `--token-file=${TOKEN_FOLDER}/token`,
      `--health-listen=:${ADMIN_PORT}`,
      // Replicas share the sessions, in place of taking them from each other.
      `--group=${namespace}/${object}`,
      ...discoveryArgs(discovery),
      ...allow.map(pattern => `--allow=${pattern}`),
      ...deny.map(pattern => `--deny=${pattern}`),
    ],
    // By name, so that an overlay can say another one.
    env: [{ name: 'TUNNELCTL_GATEWAY', value: gateway }, ...(/^(ws|http):/.test(gateway) ? [ALLOW_PLAINTEXT] : [])],
    requests: { cpu: '50m', memory: '96Mi' },
    // Above --detached-memory and the limit `memory` together: what sessions may hold whose client is away, and others.
    limits: { memory: '768Mi' },
    automountServiceAccountToken: discovery.mode !== 'off',
    // It is told of new connections by the gateway alone, which knows at once that it drains.
    preStopSeconds: 0,
    files: [
      {
        volume: { name: 'token', projected: { defaultMode: 0o440, sources: tokenSources(token) } },
        mountPath: TOKEN_FOLDER,
      },
    ],
  })
}

export function tokenSources(token: AgentToken): readonly [TokenSource] {
  if ('secret' in token) return [{ secret: { name: token.secret, items: [{ key: 'token', path: 'token' }] } }]
  return [{ serviceAccountToken: { audience: token.audience, expirationSeconds: TOKEN_SECONDS, path: 'token' } }]
}

function discoveryArgs(discovery: Discovery): string[] {
  const mode = `--discovery=${discovery.mode}`
  return discovery.mode === 'namespaces' ? [mode, `--discovery-namespaces=${discovery.namespaces.join(',')}`] : [mode]
}

export const serviceAccount = (named: Named): ServiceAccount => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: metadataOf(named),
  automountServiceAccountToken: false,
})
