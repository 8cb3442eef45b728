/** The chart of the agent: its objects, where values take the place of flags. */
import { ALLOW_PLAINTEXT, agentDeployment, agentNamed, tokenSources } from '../manifests/agent.ts'
import { disruptionBudget } from '../manifests/deployment.ts'
import { discoveryAccess } from '../manifests/discovery-access.ts'
import type { AgentInstall, Discovery } from '../manifests/install.ts'
import { agentEgress, agentNetworkPolicy } from '../manifests/network-policy.ts'
import { agentNotes } from '../manifests/notes.ts'
import { type Chart, chartFiles, type Files, listensTest } from './chart.ts'
import { chartAccount, chartObject, fullname, image, NAMESPACE, podsByValues, podValues } from './pod-values.ts'
import { hole, itemsFor, itemsWhen, templateOf } from './template.ts'
import { text, texts, type Values } from './values.ts'

const NAME = 'tunnelctl-agent'
const PATTERN = '^[a-z0-9*-]+/[a-z0-9*-]+:[a-z0-9*-]+(/(tcp|udp))?$'
const LABEL = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'

const cluster = 'eq $.Values.discovery.mode "cluster"'
const inNamespaces = 'eq $.Values.discovery.mode "namespaces"'
const audience = '$.Values.token.serviceAccountAudience'
/** Stands for that of the gateway, which is known when Helm renders. */
const PORT = 1
const GATEWAY_PORT =
  '{{ regexFind ":[0-9]+$" (urlParse $.Values.gateway).host | trimPrefix ":" | default (ternary "443" "80" (regexMatch "^(wss|https):" $.Values.gateway)) }}'
const SECRET = '{{ $.Values.token.secret | default (include "tunnelctl-agent.fullname" $) }}'

const sample: AgentInstall = {
  object: fullname(NAME),
  namespace: NAMESPACE,
  createNamespace: false,
  image: image(NAME),
  replicas: 2,
  gateway: hole('{{ $.Values.gateway }}'),
  gatewayPort: PORT,
  token: { secret: hole(SECRET) },
  allow: [hole('{{ . }}')],
  deny: [hole('{{ . }}')],
  discovery: { mode: 'namespaces', namespaces: [hole('{{ join "," $.Values.discovery.namespaces }}')] },
}
const named = agentNamed(sample)

const agentValues: Values = {
  gateway: text('the gateway to dial, as wss://gateway.example.com', '', { pattern: '^(wss?|https?)://[^\\s?@]+$' }),
  replicas: { says: 'how many pods', value: 2, schema: { type: 'integer', minimum: 0, maximum: 100 } },
  token: {
    in: {
      secret: text('the Secret with its token, at the key "token"; default: the name of the release', ''),
      serviceAccountAudience: text('in place of it, a token for this audience that the cluster makes and renews', ''),
    },
  },
  allow: texts('reach these only, whatever tokens allow: api/prod:8080, */dev:*', PATTERN),
  deny: texts('never reach these', PATTERN),
  discovery: {
    in: {
      mode: text('look services up in the API: cluster, namespaces, or off', 'off', {
        enum: ['cluster', 'namespaces', 'off'],
      }),
      namespaces: texts('those to look in', LABEL),
    },
  },
  ...podValues(agentDeployment(sample).spec.template.spec.containers[0].resources),
}

const chart = (version: string): Chart => ({
  name: NAME,
  version,
  description: 'The agent of tunnelctl: dials out, and reaches the services of its cluster',
  // Since when broken pods can be told to stand in nobody's way.
  kubeVersion: '>=1.27.0-0',
})

export const agentChart = (version: string): Files =>
  chartFiles(chart(version), agentValues, {
    'templates/NOTES.txt': notes(),
    'templates/serviceaccount.yaml': templateOf(chartAccount(named)),
    'templates/rbac.yaml': access(),
    'templates/networkpolicy.yaml': templateOf(policy(), '$.Values.networkPolicy.enabled'),
    'templates/deployment.yaml': templateOf(deployment()),
    'templates/poddisruptionbudget.yaml': templateOf(
      chartObject(disruptionBudget(named)),
      '$.Values.podDisruptionBudget.enabled',
    ),
    'templates/tests/reaches-gateway.yaml': templateOf(listensTest(NAME, sample.image, sample.gateway)),
  })

function notes(): string {
  const namespace = '{{ .Release.Namespace }}'
  const withSecret = agentNotes({ namespace, token: { secret: SECRET } }, 'NAME')
  const withAudience = agentNotes({ namespace, token: { audience: '{{ .Values.token.serviceAccountAudience }}' } }, '')
  return `{{- if ${audience} }}\n${withAudience.join('\n')}\n{{- else }}\n${withSecret.join('\n')}\n{{- end }}\n`
}

function access(): string {
  const templates = (discovery: Discovery) =>
    discoveryAccess(named, discovery)
      .map(object => templateOf(chartObject(object)))
      .join('')
  const some = '$.Values.discovery.namespaces'
  return [
    `{{- if ${cluster} }}`,
    `${templates({ mode: 'cluster' })}{{- else if ${inNamespaces} }}`,
    `{{- if empty ${some} }}{{ fail "discovery.mode namespaces needs discovery.namespaces" }}{{ end }}`,
    `{{- range ${some} }}`,
    `${templates({ mode: 'namespaces', namespaces: [hole('{{ . }}')] })}{{- end }}`,
    '{{- end }}\n',
  ].join('\n')
}

function policy() {
  const made = chartObject(agentNetworkPolicy(named, PORT, { mode: 'off' }))
  const [dns, gateway, pods] = agentEgress(PORT, { mode: 'off' })
  const [, , api, ours] = agentEgress(PORT, { mode: 'namespaces', namespaces: ['namespaces'] })
  const egress = [
    dns,
    gateway,
    ...itemsWhen('ne $.Values.discovery.mode "off"', [api]),
    ...itemsWhen(`not (${inNamespaces})`, [pods]),
    ...itemsWhen(inNamespaces, [ours]),
  ]
  const known = (key: string, value: unknown): unknown => {
    if (key === 'port' && value === PORT) return hole(GATEWAY_PORT)
    return key === 'values' ? hole('{{ toJson $.Values.discovery.namespaces }}') : value
  }
  return JSON.parse(JSON.stringify({ ...made, spec: { ...made.spec, egress } }), known) as unknown
}

function deployment() {
  const made = chartObject(agentDeployment(sample))
  const { spec } = made.spec.template
  const args = spec.containers[0].args.flatMap(arg => {
    if (arg.startsWith('--discovery=')) return [`--discovery=${hole('{{ $.Values.discovery.mode }}')}`]
    if (arg.startsWith('--discovery-namespaces=')) return itemsWhen(inNamespaces, [arg])
    if (arg.startsWith('--allow=')) return itemsFor('$.Values.allow', arg)
    return arg.startsWith('--deny=') ? itemsFor('$.Values.deny', arg) : [arg]
  })
  const sources = [
    ...itemsWhen(audience, tokenSources({ audience: hole(`{{ quote ${audience} }}`) })),
    ...itemsWhen(`not ${audience}`, tokenSources(sample.token)),
  ]
  const [token] = spec.volumes
  return podsByValues(made, {
    replicas: hole('{{ $.Values.replicas }}'),
    args,
    env: [
      ...(spec.containers[0].env ?? []),
      ...itemsWhen('regexMatch "^(ws|http):" $.Values.gateway', [ALLOW_PLAINTEXT]),
    ],
    pod: {
      automountServiceAccountToken: hole('{{ ne $.Values.discovery.mode "off" }}'),
      volumes: [{ ...token, projected: { defaultMode: 0o440, sources } }],
    },
  })
}
