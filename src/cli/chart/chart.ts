/** The files of a chart that are the same but for its name. */
import { yamlOf } from '../manifests/print.ts'
import { type ChartName, fullname, NAMESPACE } from './pod-values.ts'
import { type Values, valuesSchema, valuesYaml } from './values.ts'

/** By their path inside the folder of the chart. */
export type Files = Readonly<Record<string, string>>

const MADE = 'Made from the objects of tunnelctl manifests by: npm run manifests'

export interface Chart {
  readonly name: ChartName
  readonly version: string
  readonly description: string
  readonly kubeVersion: string
}

export function chartFiles({ name, version, description, kubeVersion }: Chart, values: Values, rest: Files): Files {
  const chart = {
    apiVersion: 'v2',
    name,
    description,
    type: 'application',
    version,
    appVersion: version,
    kubeVersion,
    home: 'https://github.com/tunnelctl/tunnelctl',
  }
  return {
    'Chart.yaml': `# ${MADE}\n${yamlOf(chart)}`,
    'values.yaml': `# ${MADE}\n${valuesYaml(values)}`,
    'values.schema.json': valuesSchema(values),
    'templates/_helpers.tpl': helpers(name),
    ...rest,
  }
}

const helpers = (chart: ChartName): string => `{{- /* ${MADE} */ -}}
{{- define "${chart}.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- define "${chart}.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}
`

/** What `helm test` runs: whether something listens at an address, seen from the cluster. */
export const listensTest = (chart: ChartName, image: string, address: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `${fullname(chart)}-test`,
    namespace: NAMESPACE,
    annotations: { 'helm.sh/hook': 'test', 'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded' },
  },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'test',
        image,
        command: ['/nodejs/bin/node', '-e', LISTENS],
        args: [address],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  },
})

/** What cannot be reached ends it, with the reason. */
const LISTENS = [
  'const url = new URL(require("process").argv[1])',
  'const port = url.port || (/s:$/.test(url.protocol) ? 443 : 80)',
  'require("net").connect(port, url.hostname, function () { this.destroy() })',
].join('; ')
