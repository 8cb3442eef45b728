/** What is left to do by hand beside the objects: above all the secrets, which are in none of them. */
import type { AgentInstall, GatewayInstall } from './install.ts'

export function agentNotes({ namespace, token }: Pick<AgentInstall, 'namespace' | 'token'>, agent: string): string[] {
  if ('audience' in token)
    return [
      `The agent shows a token of its ServiceAccount with the audience ${token.audience}, which the kubelet renews.`,
      "The gateway must take the tokens of this cluster's issuer.",
    ]
  return [
    'The pods wait for the token of the agent. Make it where the key is, and put it in:',
    `  tunnelctl token create --key issuer.key --role agent --subject ${agent}-agent --agent ${agent} --ttl 90d > agent.token`,
    `  kubectl -n ${namespace} create secret generic ${token.secret} --from-file=token=agent.token`,
  ]
}

export function gatewayNotes(install: GatewayInstall): string[] {
  const { namespace, verifyKeySecret, tlsSecret, oidc, clustersConfigMap: clusters } = install
  const into = `  kubectl -n ${namespace} create`
  return [
    'The pods wait for the key that checks tokens. Make a pair, and put in the public half:',
    '  tunnelctl token keygen --out issuer.key',
    `${into} secret generic ${verifyKeySecret} --from-file=issuer.key.pub`,
    ...(tlsSecret === undefined
      ? []
      : ['The certificate:', `${into} secret tls ${tlsSecret} --cert=tls.crt --key=tls.key`]),
    ...(oidc === undefined
      ? []
      : ['The rules for those who log in:', `${into} configmap ${oidc.rulesConfigMap} --from-file=rules.yaml`]),
    ...(clusters === undefined
      ? []
      : ['The clusters whose service accounts are agents:', `${into} configmap ${clusters} --from-file=clusters.yaml`]),
    ...edgeNotes(install),
  ]
}

function edgeNotes({ edge, tlsSecret, ingressDomain }: GatewayInstall): string[] {
  const tls = tlsSecret !== undefined
  switch (edge) {
    case 'traefik':
      return ingressDomain === undefined
        ? []
        : ['Traefik: uploads of over 60 s need a longer respondingTimeouts.readTimeout at its entry point.']
    case 'alb':
      return ['ALB: it takes the certificate for the host from ACM.']
    case 'gke':
      return tls ? [] : ['GKE: without --tls-secret, name a certificate: networking.gke.io/managed-certificates.']
    case 'none':
      return tls ? [] : ['The Service speaks plain HTTP inside the cluster: put something that ends TLS in front.']
    default:
      return []
  }
}
