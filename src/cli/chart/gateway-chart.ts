/** The chart of the gateway: its objects and its edges, where values take the place of flags. */
import { disruptionBudget } from '../manifests/deployment.ts'
import { classes, edgeObjects, serviceAnnotations } from '../manifests/edge.ts'
import {
  GATEWAY_PORT,
  gatewayDeployment,
  gatewayNamed,
  gatewayService,
  preStopSeconds,
  tokenReviewer,
} from '../manifests/gateway.ts'
import { type Edge, edges, type GatewayInstall } from '../manifests/install.ts'
import { gatewayNetworkPolicy } from '../manifests/network-policy.ts'
import { gatewayNotes } from '../manifests/notes.ts'
import type { KubernetesObject } from '../manifests/objects.ts'
import { type Chart, chartFiles, type Files, listensTest } from './chart.ts'
import { chartAccount, chartObject, fullname, image, NAMESPACE, podsByValues, podValues } from './pod-values.ts'
import { fieldsWhen, hole, itemsWhen, listWhen, templateOf } from './template.ts'
import { flag, text, type Values } from './values.ts'

const NAME = 'tunnelctl-gateway'
const HOST = '^([a-z0-9-]+(\\.[a-z0-9-]+)+)?$'

const ownTls = 'and (eq $.Values.ingress.type "none") $.Values.tlsSecret'
const TLS = '$.Values.tlsSecret'
const oidc = '$.Values.oidc.issuer'
const clusters = '$.Values.clusters.configMap'
const reviews = '$.Values.clusters.tokenReview'
const issuers = `or ${oidc} ${clusters}`
const domain = '$.Values.ingressDomain'
const inCloud = 'has $.Values.ingress.type (list "alb" "gke")'
const KEYS = '{{ $.Values.verifyKeySecret | default (include "tunnelctl-gateway.fullname" $) }}'
const DOMAIN = hole(`{{ ${domain} }}`)

const sample: GatewayInstall = {
  object: fullname(NAME),
  namespace: NAMESPACE,
  createNamespace: false,
  image: image(NAME),
  replicas: 1,
  host: hole('{{ required "an edge needs a host" $.Values.host }}'),
  verifyKeySecret: hole(KEYS),
  tlsSecret: hole('{{ $.Values.tlsSecret }}'),
  edge: 'none',
  reviewsTokens: false,
  clustersConfigMap: hole(`{{ ${clusters} }}`),
  ingressDomain: DOMAIN,
  oidc: {
    issuer: hole(`{{ ${oidc} }}`),
    audience: hole('{{ required "oidc.issuer needs oidc.audience" $.Values.oidc.audience }}'),
    rulesConfigMap: hole('{{ required "oidc.issuer needs oidc.rulesConfigMap" $.Values.oidc.rulesConfigMap }}'),
  },
}
const named = gatewayNamed(sample)

const gatewayValues: Values = {
  host: text('where it is reached, as gateway.example.com', '', { pattern: HOST }),
  verifyKeySecret: text('the Secret with the public key, at "issuer.key.pub"; default: the name of the release', ''),
  tlsSecret: text('the Secret with the certificate for the host, of the type kubernetes.io/tls', ''),
  ingress: {
    in: {
      type: text(`what ends TLS in front: ${edges.join(', ')}`, 'none', { enum: edges }),
      class: text('the class of the Ingress or Gateway, where it is not the usual one', ''),
    },
  },
  ingressDomain: text('serve services as HTTP: service--namespace--port.DOMAIN', '', { pattern: HOST }),
  oidc: {
    in: {
      issuer: text('let people in who log in there: an OpenID Connect provider', '', { pattern: '^(https://\\S+)?$' }),
      audience: text('the client id of tunnelctl at the issuer', ''),
      rulesConfigMap: text('the ConfigMap that says who may do what, at the key "rules.yaml"', ''),
    },
  },
  clusters: {
    in: {
      configMap: text('the ConfigMap that says whose service accounts are agents, at the key "clusters.yaml"', ''),
      tokenReview: flag('let it ask the cluster whether their tokens hold', false),
    },
  },
  ...podValues(gatewayDeployment(sample).spec.template.spec.containers[0].resources),
}

const chart = (version: string): Chart => ({
  name: NAME,
  version,
  description: 'The gateway of tunnelctl: relays between connect and agents',
  // Since when the kubelet itself sleeps before a pod is stopped.
  kubeVersion: '>=1.30.0-0',
})

export const gatewayChart = (version: string): Files =>
  chartFiles(chart(version), gatewayValues, {
    'templates/NOTES.txt': notes(),
    'templates/serviceaccount.yaml': templateOf(chartAccount(named)),
    'templates/tokenreview.yaml': reviewer(),
    'templates/networkpolicy.yaml': templateOf(policy(), '$.Values.networkPolicy.enabled'),
    'templates/service.yaml': templateOf(service()),
    'templates/deployment.yaml': templateOf(deployment()),
    'templates/poddisruptionbudget.yaml': templateOf(
      chartObject(disruptionBudget(named)),
      '$.Values.podDisruptionBudget.enabled',
    ),
    ...Object.fromEntries(
      edges.filter(edge => edge !== 'none').map(edge => [`templates/edge-${edge}.yaml`, edgeOf(edge)]),
    ),
    'templates/tests/listens.yaml': templateOf(
      listensTest(NAME, sample.image, `ws://${sample.object}:${hole(`{{ if ${ownTls} }}443{{ else }}80{{ end }}`)}`),
    ),
  })

function notes(): string {
  const {
    tlsSecret: _,
    oidc: __,
    clustersConfigMap: ___,
    ...plain
  } = {
    ...sample,
    namespace: '{{ .Release.Namespace }}',
    verifyKeySecret: KEYS,
    // Without a note of its own: the values say whether one is needed.
    edge: 'nginx' as const,
  }
  const always = gatewayNotes(plain)
  const more = (install: GatewayInstall) => gatewayNotes(install).slice(always.length)
  const rules = { issuer: '', audience: '', rulesConfigMap: '{{ .Values.oidc.rulesConfigMap }}' }
  return [
    ...always,
    `{{- if ${TLS} }}`,
    ...more({ ...plain, tlsSecret: `{{ ${TLS} }}` }),
    '{{- end }}',
    `{{- if ${oidc} }}`,
    ...more({ ...plain, oidc: rules }),
    '{{- end }}',
    `{{- if ${clusters} }}`,
    ...more({ ...plain, clustersConfigMap: `{{ ${clusters} }}` }),
    '{{- end }}\n',
  ].join('\n')
}

function reviewer(): string {
  return [
    `{{- if ${reviews} }}`,
    `{{- if not ${clusters} }}{{ fail "clusters.tokenReview needs clusters.configMap" }}{{ end }}`,
    `${templateOf(chartObject(tokenReviewer(named)))}{{- end }}\n`,
  ].join('\n')
}

function policy() {
  const made = chartObject(gatewayNetworkPolicy(named, GATEWAY_PORT, { issuers: true, apiServer: true }))
  const { egress, ...spec } = made.spec
  const [dns, web, apiServer] = egress
  const asked = { egress: [dns, web, ...itemsWhen(reviews, [apiServer])] }
  return {
    ...made,
    spec: { ...spec, ...fieldsWhen(issuers, asked), ...fieldsWhen(`not (${issuers})`, { egress: [] }) },
  }
}

function service() {
  const [inside, wrapped, outside] = [
    { ...sample, edge: 'nginx' as const },
    { ...sample, edge: 'gateway-api' as const },
    sample,
  ].map(gatewayService)
  const made = chartObject(inside ?? gatewayService(sample))
  const [port] = made.spec.ports
  const appProtocol = wrapped?.spec.ports[0]?.appProtocol
  return {
    ...made,
    metadata: {
      ...made.metadata,
      ...fieldsWhen('eq $.Values.ingress.type "gke"', { annotations: serviceAnnotations({ ...sample, edge: 'gke' }) }),
      ...fieldsWhen(`and (${ownTls}) $.Values.host`, { annotations: serviceAnnotations(sample) }),
    },
    spec: {
      ...made.spec,
      type: hole(`{{ if ${ownTls} }}LoadBalancer{{ else }}ClusterIP{{ end }}`),
      ports: [
        ...itemsWhen(ownTls, outside?.spec.ports ?? []),
        ...itemsWhen(`not (${ownTls})`, [
          { ...port, ...fieldsWhen('eq $.Values.ingress.type "gateway-api"', { appProtocol }) },
        ]),
      ],
    },
  }
}

function deployment() {
  const made = chartObject(gatewayDeployment(sample))
  const cloud = gatewayDeployment({ ...sample, edge: 'alb', tlsSecret: '' })
  const { volumes, containers, terminationGracePeriodSeconds: grace } = made.spec.template.spec
  const [{ args, volumeMounts }] = containers
  const either = (inClouds: number, elsewhere: number) =>
    hole(`{{ if ${inCloud} }}${inClouds}{{ else }}${elsewhere}{{ end }}`)
  const files = <T extends { readonly name: string }>(list: readonly T[]) =>
    list.flatMap(item => {
      const condition = { tls: ownTls, rules: oidc, clusters }[item.name]
      return condition === undefined ? [item] : itemsWhen(condition, [item])
    })
  return podsByValues(made, {
    args: args.flatMap(arg => {
      const condition = [
        ['--tls-', ownTls],
        ['--oidc-', oidc],
        ['--clusters=', clusters],
        ['--ingress-domain', domain],
      ].find(([flag = '']) => arg.startsWith(flag))?.[1]
      return condition === undefined ? [arg] : itemsWhen(condition, [arg])
    }),
    pod: {
      automountServiceAccountToken: hole(`{{ ${reviews} }}`),
      terminationGracePeriodSeconds: either(cloud.spec.template.spec.terminationGracePeriodSeconds, grace),
      volumes: files(volumes),
    },
    container: {
      lifecycle: { preStop: { sleep: { seconds: either(preStopSeconds('alb'), preStopSeconds('none')) } } },
      volumeMounts: files(volumeMounts),
    },
  })
}

function edgeOf(edge: Exclude<Edge, 'none'>): string {
  const { tlsSecret: _, ...plain } = sample
  const made = edgeObjects({
    ...(edge === 'alb' ? plain : sample),
    edge,
    edgeClass: hole(
      edge === 'gateway-api'
        ? '{{ required "a Gateway needs ingress.class" $.Values.ingress.class }}'
        : `{{ default "${classes[edge]}" $.Values.ingress.class }}`,
    ),
    ...(edge === 'gateway-api' && { tlsSecret: hole(`{{ required "a Gateway needs tlsSecret" ${TLS} }}`) }),
  })
  const objects = made.map(object => templateOf(withDomain(withTls(chartObject(object)))))
  return `{{- if eq $.Values.ingress.type "${edge}" }}\n${objects.join('')}{{- end }}\n`
}

function withTls(object: KubernetesObject): unknown {
  if (object.kind !== 'Ingress') return object
  const { tls, ...spec } = object.spec
  return { ...object, spec: { ...spec, ...(tls && fieldsWhen(TLS, { tls })) } }
}

/** Beside the host, the hosts of the ingress, where there is one. */
function withDomain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (!Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withDomain(child)]))
  }
  const items: readonly unknown[] = value
  return listWhen(items.map(withDomain), item => items.length > 1 && JSON.stringify(item).includes(DOMAIN), domain)
}
