/** What is to be installed: the choices behind the objects, checked already. */

interface Place {
  readonly namespace: string
  /** Whether the namespace is one of the objects. */
  readonly createNamespace: boolean
  readonly image: string
  readonly replicas: number
}

export type Discovery =
  | { readonly mode: 'off' | 'cluster' }
  | { readonly mode: 'namespaces'; readonly namespaces: readonly string[] }

/** What the agent shows to the gateway: the token in a Secret, or one that the cluster makes for this audience. */
export type AgentToken = { readonly secret: string } | { readonly audience: string }

export interface AgentInstall extends Place {
  /** What the objects are called. */
  readonly object: string
  readonly gateway: string
  /** Where the gateway listens. */
  readonly gatewayPort: number
  readonly token: AgentToken
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  readonly discovery: Discovery
}

export const edges = ['gateway-api', 'nginx', 'alb', 'gke', 'traefik', 'none'] as const
export type Edge = (typeof edges)[number]

export interface Oidc {
  readonly issuer: string
  readonly audience: string
  /** A ConfigMap with the key `rules.yaml`. */
  readonly rulesConfigMap: string
}

export interface GatewayInstall extends Place {
  readonly object: string
  /** Absent: whoever puts an edge in front knows. */
  readonly host?: string
  /** A Secret with the key `issuer.key.pub`. */
  readonly verifyKeySecret: string
  /** A Secret with `tls.crt` and `tls.key`: for the edge, or for the gateway where there is none. */
  readonly tlsSecret?: string
  readonly edge: Edge
  /** The class of the Ingress or Gateway, in place of the edge's usual one. */
  readonly edgeClass?: string
  readonly ingressDomain?: string
  readonly oidc?: Oidc
  /** A ConfigMap with the key `clusters.yaml`: whose service accounts are agents. */
  readonly clustersConfigMap?: string
  /** It may ask the cluster whether a token holds. */
  readonly reviewsTokens: boolean
}
