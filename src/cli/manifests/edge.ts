/** What stands in front of a gateway, told to let WebSockets live: each product in its own words. */
import { ADMIN_PORT } from './deployment.ts'
import type { Edge, GatewayInstall } from './install.ts'
import { metadataOf } from './metadata.ts'
import type { BackendConfig, Gateway, HttpRoute, Ingress, KubernetesObject, Labels } from './objects.ts'

/** Of quiet connections. Both ends ping every 15 s, so any minute would do; an hour spares those who are slow to answer. */
const IDLE_SECONDS = 3600
/** What caps the whole life of a WebSocket, where nothing can lift the cap. */
const LIFETIME_SECONDS = 86_400
const DRAIN_SECONDS = 60

export type IngressEdge = Exclude<Edge, 'gateway-api' | 'none'>

/** Only Gateways have no usual class. */
export const classes: Readonly<Record<IngressEdge, string>> = {
  nginx: 'nginx',
  alb: 'alb',
  gke: 'gce',
  traefik: 'traefik',
}

const annotations: Readonly<Record<IngressEdge, Labels>> = {
  nginx: {
    'nginx.ingress.kubernetes.io/proxy-read-timeout': String(IDLE_SECONDS),
    'nginx.ingress.kubernetes.io/proxy-send-timeout': String(IDLE_SECONDS),
    'nginx.ingress.kubernetes.io/proxy-body-size': '0',
    'nginx.ingress.kubernetes.io/proxy-request-buffering': 'off',
    'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
  },
  alb: {
    'alb.ingress.kubernetes.io/scheme': 'internet-facing',
    'alb.ingress.kubernetes.io/target-type': 'ip',
    'alb.ingress.kubernetes.io/listen-ports': '[{"HTTPS":443}]',
    'alb.ingress.kubernetes.io/load-balancer-attributes': `idle_timeout.timeout_seconds=${IDLE_SECONDS}`,
    'alb.ingress.kubernetes.io/target-group-attributes': `deregistration_delay.timeout_seconds=${DRAIN_SECONDS}`,
    'alb.ingress.kubernetes.io/healthcheck-port': String(ADMIN_PORT),
    'alb.ingress.kubernetes.io/healthcheck-path': '/readyz',
  },
  gke: { 'kubernetes.io/ingress.allow-http': 'false' },
  traefik: {
    'traefik.ingress.kubernetes.io/router.entrypoints': 'websecure',
    'traefik.ingress.kubernetes.io/router.tls': 'true',
  },
}

export function edgeObjects(install: GatewayInstall): KubernetesObject[] {
  switch (install.edge) {
    case 'none':
      return []
    case 'gateway-api':
      return [gatewayObject(install), httpRoute(install)]
    case 'gke':
      return [backendConfig(install), ingress(install, 'gke')]
    default:
      return [ingress(install, install.edge)]
  }
}

/** What the Service says to those who read it: GKE, and whoever keeps the DNS of load balancers. */
export function serviceAnnotations({ edge, object, host, tlsSecret }: GatewayInstall): Labels {
  if (edge === 'gke')
    return {
      'cloud.google.com/neg': '{"ingress":true}',
      'cloud.google.com/backend-config': `{"default":"${object}"}`,
    }
  const balanced = edge === 'none' && tlsSecret !== undefined
  return balanced && host !== undefined ? { 'external-dns.alpha.kubernetes.io/hostname': host } : {}
}

const hostsOf = ({ host, ingressDomain }: GatewayInstall): string[] => [
  ...(host === undefined ? [] : [host]),
  ...(ingressDomain === undefined ? [] : [`*.${ingressDomain}`]),
]

function ingress(install: GatewayInstall, edge: IngressEdge): Ingress {
  const { object, namespace, tlsSecret, edgeClass = classes[edge] } = install
  const hosts = hostsOf(install)
  // GKE heeds the annotation alone.
  const byAnnotation = edge === 'gke' ? { 'kubernetes.io/ingress.class': edgeClass } : {}
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: metadataOf({ object, namespace, component: 'gateway' }, { ...byAnnotation, ...annotations[edge] }),
    spec: {
      ...(edge !== 'gke' && { ingressClassName: edgeClass }),
      ...(tlsSecret !== undefined && { tls: [{ hosts, secretName: tlsSecret }] }),
      rules: hosts.map(host => ({
        host,
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: object, port: { name: 'http' } } } }],
        },
      })),
    },
  }
}

function gatewayObject({ object, namespace, edgeClass = '', tlsSecret = '' }: GatewayInstall): Gateway {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: metadataOf({ object, namespace, component: 'gateway' }),
    spec: {
      gatewayClassName: edgeClass,
      listeners: [
        {
          name: 'https',
          protocol: 'HTTPS',
          port: 443,
          tls: { mode: 'Terminate', certificateRefs: [{ kind: 'Secret', name: tlsSecret }] },
          allowedRoutes: { namespaces: { from: 'Same' } },
        },
      ],
    },
  }
}

function httpRoute(install: GatewayInstall): HttpRoute {
  const { object, namespace } = install
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: metadataOf({ object, namespace, component: 'gateway' }),
    spec: {
      parentRefs: [{ name: object, sectionName: 'https' }],
      hostnames: hostsOf(install),
      rules: [
        {
          // None: to some of those who implement it, a WebSocket is one long request.
          timeouts: { request: '0s', backendRequest: '0s' },
          backendRefs: [{ name: object, port: 80 }],
        },
      ],
    },
  }
}

function backendConfig({ object, namespace }: GatewayInstall): BackendConfig {
  return {
    apiVersion: 'cloud.google.com/v1',
    kind: 'BackendConfig',
    metadata: metadataOf({ object, namespace, component: 'gateway' }),
    spec: {
      timeoutSec: LIFETIME_SECONDS,
      connectionDraining: { drainingTimeoutSec: DRAIN_SECONDS },
      healthCheck: { type: 'HTTP', requestPath: '/readyz', port: ADMIN_PORT },
    },
  }
}
