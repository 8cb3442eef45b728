/** A role of tunnelctl as a Deployment: everything that the agent and the gateway have in common. */
import { labelsOf, metadataOf, type Named, selectorOf } from './metadata.ts'
import type { Container, Deployment, Labels, PodDisruptionBudget, Probe, Volume, VolumeMount } from './objects.ts'

/** Probes and metrics. Not reached through any Service. */
export const ADMIN_PORT = 9090
/** `nonroot` of the distroless images. */
const NONROOT = 65_532
const DRAIN_SECONDS = 30
/** For what is left to do when the drain is over. */
const SLACK_SECONDS = 15

export interface Workload {
  readonly named: Named
  readonly image: string
  readonly replicas: number
  /** Behind the name of the role. */
  readonly args: readonly string[]
  readonly env?: Container['env']
  readonly ports?: Container['ports']
  readonly requests: Labels
  readonly limits: Labels
  readonly automountServiceAccountToken: boolean
  /** How long those who still send connections here may take to hear of the end. 0: nobody does. */
  readonly preStopSeconds: number
  readonly files: readonly { readonly volume: Volume; readonly mountPath: string }[]
}

export function deploymentObject(workload: Workload): Deployment {
  const { named, image, replicas, automountServiceAccountToken, preStopSeconds, files } = workload
  const matchLabels = selectorOf(named)
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(named),
    spec: {
      replicas,
      revisionHistoryLimit: 3,
      selector: { matchLabels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: labelsOf(named) },
        spec: {
          serviceAccountName: named.object,
          automountServiceAccountToken,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: preStopSeconds + DRAIN_SECONDS + SLACK_SECONDS,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: NONROOT,
            runAsGroup: NONROOT,
            fsGroup: NONROOT,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map(topologyKey => ({
            maxSkew: 1,
            topologyKey,
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels },
          })),
          containers: [containerOf(workload, image)],
          volumes: files.map(({ volume }) => volume),
        },
      },
    },
  }
}

function containerOf(
  { named, args, env, ports = [], preStopSeconds, files, ...rest }: Workload,
  image: string,
): Container {
  const mounts = files.map(({ volume, mountPath }): VolumeMount => ({ name: volume.name, mountPath, readOnly: true }))
  return {
    name: named.component,
    image,
    args: [named.component, ...args, `--drain-timeout=${DRAIN_SECONDS}s`],
    ...(env && { env }),
    ports: [...ports, { name: 'admin', containerPort: ADMIN_PORT, protocol: 'TCP' }],
    resources: { requests: rest.requests, limits: rest.limits },
    startupProbe: probe('/healthz', { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 60 }),
    livenessProbe: probe('/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 }),
    ...(preStopSeconds > 0 && { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: mounts,
  }
}

const probe = (path: string, times: Omit<Probe, 'httpGet'>): Probe => ({ httpGet: { path, port: 'admin' }, ...times })

/** One at a time, and those that do not work anyway never stand in the way of a node that is to be drained. */
export const disruptionBudget = (named: Named): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metadataOf(named),
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
    selector: { matchLabels: selectorOf(named) },
  },
})
