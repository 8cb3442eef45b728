/** The Kubernetes objects that are made here, with those of their fields that are used. */

export interface Metadata {
  readonly name: string
  /** Absent: the object belongs to the cluster. */
  readonly namespace?: string
  readonly labels: Labels
  readonly annotations?: Labels
}

export type Labels = Readonly<Record<string, string>>

interface Kind<ApiVersion extends string, Name extends string> {
  readonly apiVersion: ApiVersion
  readonly kind: Name
  readonly metadata: Metadata
}

export type Namespace = Kind<'v1', 'Namespace'>

export interface ServiceAccount extends Kind<'v1', 'ServiceAccount'> {
  readonly automountServiceAccountToken: boolean
}

export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

export interface Role extends Kind<'rbac.authorization.k8s.io/v1', 'ClusterRole' | 'Role'> {
  readonly rules: readonly Rule[]
}

export interface RoleBinding extends Kind<'rbac.authorization.k8s.io/v1', 'ClusterRoleBinding' | 'RoleBinding'> {
  readonly roleRef: {
    readonly apiGroup: 'rbac.authorization.k8s.io'
    readonly kind: Role['kind']
    readonly name: string
  }
  readonly subjects: readonly { readonly kind: 'ServiceAccount'; readonly name: string; readonly namespace: string }[]
}

export interface VolumeMount {
  readonly name: string
  readonly mountPath: string
  readonly readOnly: true
}

interface KeyToPath {
  readonly key: string
  readonly path: string
}

export type TokenSource =
  | { readonly secret: { readonly name: string; readonly items: readonly KeyToPath[] } }
  | {
      readonly serviceAccountToken: {
        readonly audience: string
        readonly expirationSeconds: number
        readonly path: string
      }
    }

export type Volume = { readonly name: string } & (
  | { readonly secret: { readonly secretName: string; readonly defaultMode: number } }
  | { readonly configMap: { readonly name: string } }
  | { readonly projected: { readonly defaultMode: number; readonly sources: readonly TokenSource[] } }
)

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly timeoutSeconds: number
  readonly failureThreshold: number
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number; readonly protocol: 'TCP' }[]
  readonly resources: { readonly requests: Labels; readonly limits: Labels }
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } }
  readonly securityContext: {
    readonly allowPrivilegeEscalation: false
    readonly readOnlyRootFilesystem: true
    readonly capabilities: { readonly drop: readonly ['ALL'] }
  }
  readonly volumeMounts: readonly VolumeMount[]
}

export interface PodSpec {
  readonly serviceAccountName: string
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: false
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: {
    readonly runAsNonRoot: true
    readonly runAsUser: number
    readonly runAsGroup: number
    readonly fsGroup: number
    readonly seccompProfile: { readonly type: 'RuntimeDefault' }
  }
  readonly topologySpreadConstraints: readonly {
    readonly maxSkew: number
    readonly topologyKey: string
    readonly whenUnsatisfiable: 'ScheduleAnyway'
    readonly labelSelector: { readonly matchLabels: Labels }
  }[]
  readonly containers: readonly [Container]
  readonly volumes: readonly Volume[]
}

export interface Deployment extends Kind<'apps/v1', 'Deployment'> {
  readonly spec: {
    readonly replicas: number
    readonly revisionHistoryLimit: number
    readonly selector: { readonly matchLabels: Labels }
    readonly strategy: {
      readonly type: 'RollingUpdate'
      readonly rollingUpdate: { readonly maxUnavailable: number; readonly maxSurge: number }
    }
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }
  }
}

export interface PodDisruptionBudget extends Kind<'policy/v1', 'PodDisruptionBudget'> {
  readonly spec: {
    readonly maxUnavailable: number
    readonly unhealthyPodEvictionPolicy: 'AlwaysAllow'
    readonly selector: { readonly matchLabels: Labels }
  }
}

interface PolicyPort {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
}

export interface Peer {
  readonly namespaceSelector?: {
    readonly matchExpressions?: readonly {
      readonly key: string
      readonly operator: 'In'
      readonly values: readonly string[]
    }[]
  }
  readonly ipBlock?: { readonly cidr: string; readonly except: readonly string[] }
}

export interface Egress {
  readonly to?: readonly Peer[]
  readonly ports?: readonly PolicyPort[]
}

export interface NetworkPolicy extends Kind<'networking.k8s.io/v1', 'NetworkPolicy'> {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Labels }
    readonly policyTypes: readonly ['Ingress', 'Egress']
    readonly ingress: readonly { readonly ports: readonly PolicyPort[] }[]
    readonly egress: readonly Egress[]
  }
}

export interface Service extends Kind<'v1', 'Service'> {
  readonly spec: {
    readonly type: 'ClusterIP' | 'LoadBalancer'
    readonly selector: Labels
    readonly ports: readonly {
      readonly name: string
      readonly port: number
      readonly targetPort: string
      readonly protocol: 'TCP'
      readonly appProtocol?: string
    }[]
  }
}

export interface IngressRule {
  readonly host: string
  readonly http: {
    readonly paths: readonly {
      readonly path: '/'
      readonly pathType: 'Prefix'
      readonly backend: { readonly service: { readonly name: string; readonly port: { readonly name: string } } }
    }[]
  }
}

export interface Ingress extends Kind<'networking.k8s.io/v1', 'Ingress'> {
  readonly spec: {
    readonly ingressClassName?: string
    readonly tls?: readonly { readonly hosts: readonly string[]; readonly secretName: string }[]
    readonly rules: readonly IngressRule[]
  }
}

export interface Gateway extends Kind<'gateway.networking.k8s.io/v1', 'Gateway'> {
  readonly spec: {
    readonly gatewayClassName: string
    readonly listeners: readonly {
      readonly name: string
      readonly protocol: 'HTTPS'
      readonly port: number
      readonly tls: {
        readonly mode: 'Terminate'
        readonly certificateRefs: readonly { readonly kind: 'Secret'; readonly name: string }[]
      }
      readonly allowedRoutes: { readonly namespaces: { readonly from: 'Same' } }
    }[]
  }
}

export interface HttpRoute extends Kind<'gateway.networking.k8s.io/v1', 'HTTPRoute'> {
  readonly spec: {
    readonly parentRefs: readonly { readonly name: string; readonly sectionName: string }[]
    readonly hostnames: readonly string[]
    readonly rules: readonly {
      readonly timeouts: { readonly request: string; readonly backendRequest: string }
      readonly backendRefs: readonly { readonly name: string; readonly port: number }[]
    }[]
  }
}

export interface BackendConfig extends Kind<'cloud.google.com/v1', 'BackendConfig'> {
  readonly spec: {
    readonly timeoutSec: number
    readonly connectionDraining: { readonly drainingTimeoutSec: number }
    readonly healthCheck: { readonly type: 'HTTP'; readonly requestPath: string; readonly port: number }
  }
}

export type KubernetesObject =
  | Namespace
  | ServiceAccount
  | Role
  | RoleBinding
  | Deployment
  | PodDisruptionBudget
  | NetworkPolicy
  | Service
  | Ingress
  | Gateway
  | HttpRoute
  | BackendConfig
