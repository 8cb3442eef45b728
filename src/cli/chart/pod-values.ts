/** What both charts let their users say of the pods, beyond what `tunnelctl manifests` has flags for. */

import { serviceAccount } from '../manifests/agent.ts'
import { IMAGE } from '../manifests/flags.ts'
import type { Named } from '../manifests/metadata.ts'
import type { Deployment, KubernetesObject, Metadata, ServiceAccount } from '../manifests/objects.ts'
import { fieldsWhen, hole, itemsFor } from './template.ts'
import { flag, list, object, text, texts, type Values } from './values.ts'

export type ChartName = 'tunnelctl-agent' | 'tunnelctl-gateway'

export const podValues = (resources: object): Values => ({
  image: {
    in: {
      repository: text('where the image is', IMAGE),
      tag: text('default: the version of the chart', ''),
      digest: text('sha256:…, which goes before the tag', '', { pattern: '^(sha256:[0-9a-f]{64})?$' }),
      pullPolicy: text('Always, IfNotPresent or Never', 'IfNotPresent', { enum: ['Always', 'IfNotPresent', 'Never'] }),
    },
  },
  imagePullSecrets: list('secrets of the registry'),
  serviceAccount: { in: { annotations: object('of the ServiceAccount') } },
  podAnnotations: object('of the pods'),
  resources: object('of the container', resources),
  nodeSelector: object('which nodes may run the pods'),
  tolerations: list('of the pods'),
  affinity: object('of the pods'),
  extraArgs: texts('further flags', '^--'),
  extraEnv: list('further variables of the environment'),
  networkPolicy: { in: { enabled: flag('say who may reach the pods, and whom they reach', true) } },
  podDisruptionBudget: { in: { enabled: flag('at most one pod is away when nodes are drained', true) } },
  nameOverride: text('in place of the name of the chart', ''),
  fullnameOverride: text('what the objects are called', ''),
})

/** In every template `$` is where values are, also inside of a loop. */
export const fullname = (chart: ChartName): string => hole(`{{ include "${chart}.fullname" $ }}`)
export const NAMESPACE = hole('{{ $.Release.Namespace }}')
export const image = (chart: ChartName): string => hole(`{{ include "${chart}.image" $ }}`)

/** The object, with the labels that Helm wants to see. */
export function chartObject<T extends KubernetesObject>(made: T): T {
  const metadata: Metadata = {
    ...made.metadata,
    labels: {
      ...made.metadata.labels,
      'app.kubernetes.io/managed-by': hole('{{ $.Release.Service }}'),
      'helm.sh/chart': hole('{{ $.Chart.Name }}-{{ $.Chart.Version | replace "+" "_" }}'),
    },
  }
  return { ...made, metadata }
}

const given = (name: string): Readonly<Record<string, unknown>> =>
  fieldsWhen(`$.Values.${name}`, { [name]: hole(`{{ toJson $.Values.${name} }}`) })

export function chartAccount(named: Named): ServiceAccount {
  const made = chartObject(serviceAccount(named))
  const annotations = hole('{{ toJson $.Values.serviceAccount.annotations }}')
  return {
    ...made,
    metadata: { ...made.metadata, ...fieldsWhen('$.Values.serviceAccount.annotations', { annotations }) },
  }
}

/** What stands in a chart in place of what was made. */
interface Own {
  readonly replicas?: string
  readonly args: readonly unknown[]
  readonly env?: readonly unknown[]
  readonly pod: Readonly<Record<string, unknown>>
  readonly container?: Readonly<Record<string, unknown>>
}

/** Its pods, with everything that the values can say of them. */
export function podsByValues({ spec, ...deployment }: Deployment, own: Own): unknown {
  const { metadata, spec: pod } = spec.template
  const [container] = pod.containers
  const { replicas = spec.replicas, args, env = container.env } = own
  const placed = ['imagePullSecrets', 'nodeSelector', 'tolerations', 'affinity'].map(given)
  const containers = [
    {
      ...container,
      ...own.container,
      imagePullPolicy: hole('{{ $.Values.image.pullPolicy }}'),
      args: [...args, ...itemsFor('$.Values.extraArgs', hole('{{ quote . }}'))],
      ...(env === undefined
        ? fieldsWhen('$.Values.extraEnv', { env: hole('{{ toJson $.Values.extraEnv }}') })
        : { env: [...env, ...itemsFor('$.Values.extraEnv', hole('{{ toJson . }}'))] }),
      resources: hole('{{ toJson $.Values.resources }}'),
    },
  ]
  const annotations = hole('{{ toJson $.Values.podAnnotations }}')
  const template = {
    metadata: { ...metadata, ...fieldsWhen('$.Values.podAnnotations', { annotations }) },
    spec: Object.assign({ ...pod, ...own.pod, containers }, ...placed) as unknown,
  }
  return { ...deployment, spec: { ...spec, replicas, template } }
}
