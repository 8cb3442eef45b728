/** The gateway in a cluster, as objects, with the edge in front of it. */
import { serviceAccount } from './agent.ts'
import { ADMIN_PORT, deploymentObject, disruptionBudget, type Workload } from './deployment.ts'
import { edgeObjects, serviceAnnotations } from './edge.ts'
import type { Edge, GatewayInstall, Oidc } from './install.ts'
import { labelsOf, metadataOf, type Named, namespaceObject, selectorOf } from './metadata.ts'
import { gatewayNetworkPolicy } from './network-policy.ts'
import type { Deployment, KubernetesObject, RoleBinding, Service } from './objects.ts'

export const GATEWAY_PORT = 8080

/** In the order in which they can be made. */
export function gatewayObjects(install: GatewayInstall): KubernetesObject[] {
  const { namespace, createNamespace, oidc, clustersConfigMap, reviewsTokens } = install
  const issuers = oidc !== undefined || clustersConfigMap !== undefined
  const named = gatewayNamed(install)
  return [
    ...(createNamespace ? [namespaceObject(namespace)] : []),
    serviceAccount(named),
    ...(reviewsTokens ? [tokenReviewer(named)] : []),
    gatewayNetworkPolicy(named, GATEWAY_PORT, { issuers, apiServer: reviewsTokens }),
    gatewayService(install),
    gatewayDeployment(install),
    disruptionBudget(named),
    ...edgeObjects(install),
  ]
}

export const gatewayNamed = ({ object, namespace }: Pick<GatewayInstall, 'object' | 'namespace'>): Named => ({
  object,
  namespace,
  component: 'gateway',
})

/** Where there is an edge, it ends TLS. */
const ownTls = ({ edge, tlsSecret }: GatewayInstall): string | undefined => (edge === 'none' ? tlsSecret : undefined)

export function gatewayService(install: GatewayInstall): Service {
  const named = gatewayNamed(install)
  const tls = ownTls(install) !== undefined
  const { edge } = install
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(named, serviceAnnotations(install)),
    spec: {
      // Without TLS it is for an edge to open it to the world.
      type: tls ? 'LoadBalancer' : 'ClusterIP',
      selector: selectorOf(named),
      ports: [
        {
          name: tls ? 'https' : 'http',
          port: tls ? 443 : 80,
          targetPort: 'tunnel',
          protocol: 'TCP',
          ...(edge === 'gateway-api' && { appProtocol: 'kubernetes.io/ws' }),
        },
      ],
    },
  }
}

export function gatewayDeployment(install: GatewayInstall): Deployment {
  const { image, replicas, verifyKeySecret, ingressDomain, oidc, edge, clustersConfigMap, reviewsTokens } = install
  const tlsSecret = ownTls(install)
  return deploymentObject({
    named: gatewayNamed(install),
    image,
    replicas,
    args: [
      `--listen=:${GATEWAY_PORT}`,
      `--admin-listen=:${ADMIN_PORT}`,
      '--verify-key=/etc/tunnelctl/keys/issuer.key.pub',
      ...(tlsSecret === undefined ? [] : tlsArgs),
      ...(oidc === undefined ? [] : oidcArgs(oidc)),
      ...(clustersConfigMap === undefined ? [] : ['--clusters=/etc/tunnelctl/clusters/clusters.yaml']),
      ...(ingressDomain === undefined ? [] : [`--ingress-domain=${ingressDomain}`]),
    ],
    ports: [{ name: 'tunnel', containerPort: GATEWAY_PORT, protocol: 'TCP' }],
    requests: { cpu: '100m', memory: '128Mi' },
    limits: { memory: '512Mi' },
    automountServiceAccountToken: reviewsTokens,
    preStopSeconds: preStopSeconds(edge),
    files: [
      secretFiles('keys', verifyKeySecret),
      ...(tlsSecret === undefined ? [] : [secretFiles('tls', tlsSecret)]),
      ...(oidc === undefined ? [] : [configFile('rules', oidc.rulesConfigMap)]),
      ...(clustersConfigMap === undefined ? [] : [configFile('clusters', clustersConfigMap)]),
    ],
  })
}

/** How long it takes until an edge sends nobody here any more: load balancers of clouds are told, and tell theirs. */
export const preStopSeconds = (edge: Edge): number => (edge === 'alb' || edge === 'gke' ? 20 : 5)

const tlsArgs: readonly string[] = ['--tls-cert=/etc/tunnelctl/tls/tls.crt', '--tls-key=/etc/tunnelctl/tls/tls.key']

const oidcArgs = ({ issuer, audience }: Oidc): string[] => [
  `--oidc-issuer=${issuer}`,
  `--oidc-audience=${audience}`,
  '--oidc-rules=/etc/tunnelctl/rules/rules.yaml',
]

type Files = Workload['files'][number]

const secretFiles = (name: string, secretName: string): Files => ({
  volume: { name, secret: { secretName, defaultMode: 0o440 } },
  mountPath: `/etc/tunnelctl/${name}`,
})

export const configFile = (name: string, configMap: string): Files => ({
  volume: { name, configMap: { name: configMap } },
  mountPath: `/etc/tunnelctl/${name}`,
})

/** Kubernetes, "Delegated authentication": what TokenReview needs, and no more. */
export function tokenReviewer(named: Named): RoleBinding {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: `${named.namespace}:${named.object}`, labels: labelsOf(named) },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
    subjects: [{ kind: 'ServiceAccount', name: named.object, namespace: named.namespace }],
  }
}
