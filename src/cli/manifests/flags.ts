/** The flags of `tunnelctl manifests`, and what they mean together. */
import { parseGatewayUrl } from '../../carrier/dial.ts'
import { parsePattern } from '../../net/pattern.ts'
import { version } from '../version.ts'
import { hostFlag, imageFlag, labelFlag, objectFlag, replicasFlag, wordFlag, wrong } from './check.ts'
import type { AgentInstall, AgentToken, Discovery, Edge, GatewayInstall, Oidc } from './install.ts'

export const IMAGE = 'ghcr.io/tunnelctl/tunnelctl'
export const DEFAULT_NAMESPACE = 'tunnelctl'
export const DEFAULT_AUDIENCE = 'tunnelctl-gateway'

export interface PlaceFlags {
  readonly namespace: string
  readonly createNamespace?: boolean
  readonly image?: string
  readonly replicas: string
  readonly output: 'yaml' | 'json'
}

export interface AgentFlags extends PlaceFlags {
  readonly gateway?: string
  readonly name?: string
  readonly tokenSecret?: string
  readonly serviceAccountToken?: string | true
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly discovery: Discovery['mode']
  readonly namespaces?: readonly string[]
}

export interface GatewayFlags extends PlaceFlags {
  readonly host?: string
  readonly verifyKeySecret: string
  readonly tlsSecret?: string
  readonly ingress: Edge
  readonly ingressClass?: string
  readonly ingressDomain?: string
  readonly oidcIssuer?: string
  readonly oidcAudience?: string
  readonly oidcRulesConfigmap?: string
  readonly clustersConfigmap?: string
  readonly tokenReview?: boolean
}

function placeFrom({ namespace, createNamespace = false, image = `${IMAGE}:${version}`, replicas }: PlaceFlags) {
  return {
    namespace: labelFlag('--namespace', namespace),
    // A namespace of others must not get our rules for pods by the way.
    createNamespace: createNamespace || namespace === DEFAULT_NAMESPACE,
    image: imageFlag(image),
    replicas: replicasFlag(replicas),
  }
}

/** @throws TunnelError USAGE */
export function agentFrom(flags: AgentFlags): AgentInstall {
  const { gateway, name, allow = [], deny = [] } = flags
  if (gateway === undefined) throw wrong('no gateway was given', 'give --gateway wss://gateway.example.com')
  const url = parseGatewayUrl(gateway)
  const object = name === undefined ? 'tunnelctl-agent' : `tunnelctl-agent-${labelFlag('--name', name, 40)}`
  for (const pattern of [...allow, ...deny]) parsePattern(pattern)
  return {
    ...placeFrom(flags),
    object,
    gateway,
    gatewayPort: Number(url.port) || (url.protocol === 'wss:' ? 443 : 80),
    token: tokenFrom(flags, object),
    allow,
    deny,
    discovery: discoveryFrom(flags),
  }
}

function tokenFrom({ tokenSecret, serviceAccountToken: audience }: AgentFlags, object: string): AgentToken {
  if (audience === undefined) return { secret: objectFlag('--token-secret', tokenSecret ?? object) }
  if (tokenSecret !== undefined)
    throw wrong('--token-secret and --service-account-token exclude each other', 'give one of them')
  return { audience: audience === true ? DEFAULT_AUDIENCE : wordFlag('--service-account-token', audience) }
}

function discoveryFrom({ discovery: mode, namespaces }: AgentFlags): Discovery {
  if (mode === 'namespaces') {
    if (namespaces === undefined)
      throw wrong('--discovery namespaces needs the namespaces', 'name them with --namespaces a,b')
    return { mode, namespaces: [...new Set(namespaces.map(each => labelFlag('--namespaces', each)))] }
  }
  if (namespaces === undefined) return { mode }
  throw wrong('--namespaces goes with --discovery namespaces', 'give both, or neither')
}

/** @throws TunnelError USAGE */
export function gatewayFrom(flags: GatewayFlags): GatewayInstall {
  const { host, verifyKeySecret, tlsSecret, ingress: edge, ingressClass, ingressDomain } = flags
  const { clustersConfigmap, tokenReview = false } = flags
  if (tokenReview && clustersConfigmap === undefined)
    throw wrong('--token-review goes with --clusters-configmap', 'the file says whose tokens are reviewed')
  const place = placeFrom(flags)
  if (place.replicas > 1)
    throw wrong(
      '--replicas: a gateway knows only the agents that have dialled it, so there can be one',
      'leave it out: what is open outlives its restarts, and a rollout starts the new one first',
    )
  checkEdge(flags)
  const oidc = oidcFrom(flags)
  return {
    ...place,
    object: 'tunnelctl-gateway',
    verifyKeySecret: objectFlag('--verify-key-secret', verifyKeySecret),
    edge,
    ...(host !== undefined && { host: hostFlag('--host', host) }),
    ...(tlsSecret !== undefined && { tlsSecret: objectFlag('--tls-secret', tlsSecret) }),
    ...(ingressClass !== undefined && { edgeClass: objectFlag('--ingress-class', ingressClass) }),
    ...(ingressDomain !== undefined && { ingressDomain: hostFlag('--ingress-domain', ingressDomain) }),
    ...(oidc && { oidc }),
    ...(clustersConfigmap !== undefined && {
      clustersConfigMap: objectFlag('--clusters-configmap', clustersConfigmap),
    }),
    reviewsTokens: tokenReview,
  }
}

function checkEdge({ host, tlsSecret, ingress: edge, ingressClass }: GatewayFlags): void {
  if (edge === 'none') {
    if (ingressClass !== undefined) throw wrong('--ingress-class goes with --ingress', 'say which kind it is')
    return
  }
  if (host === undefined) throw wrong(`--ingress ${edge} needs a host`, 'give --host gateway.example.com')
  if (edge === 'alb' && tlsSecret !== undefined)
    throw wrong('an ALB takes its certificate from ACM, not from --tls-secret', 'leave it out')
  if (edge !== 'gateway-api') return
  if (ingressClass === undefined)
    throw wrong('a Gateway needs its class', 'give --ingress-class, one of: kubectl get gatewayclasses')
  if (tlsSecret === undefined) throw wrong('a Gateway needs a certificate', 'give --tls-secret NAME')
}

function oidcFrom({ oidcIssuer: issuer, oidcAudience: audience, oidcRulesConfigmap: rules }: GatewayFlags) {
  if (issuer === undefined && audience === undefined && rules === undefined) return undefined
  if (issuer === undefined || audience === undefined || rules === undefined)
    throw wrong('--oidc-issuer, --oidc-audience and --oidc-rules-configmap go together', 'give all of them, or none')
  if (!URL.canParse(issuer) || new URL(issuer).protocol !== 'https:')
    throw wrong('--oidc-issuer is no https URL', 'give it as it stands in the claim "iss" of the tokens')
  const oidc: Oidc = {
    issuer,
    audience: wordFlag('--oidc-audience', audience),
    rulesConfigMap: objectFlag('--oidc-rules-configmap', rules),
  }
  return oidc
}
