/** What objects are called, and the labels by which they find each other. */
import type { Labels, Metadata, Namespace } from './objects.ts'

export interface Named {
  readonly object: string
  readonly namespace: string
  readonly component: 'agent' | 'gateway'
}

/** Never change: a Deployment cannot be given another selector. */
export const selectorOf = ({ object, component }: Named): Labels => ({
  'app.kubernetes.io/name': `tunnelctl-${component}`,
  'app.kubernetes.io/instance': object,
})

export const labelsOf = (named: Named): Labels => ({
  ...selectorOf(named),
  'app.kubernetes.io/component': named.component,
  'app.kubernetes.io/part-of': 'tunnelctl',
})

export const metadataOf = (named: Named, annotations: Labels = {}): Metadata => ({
  name: named.object,
  namespace: named.namespace,
  labels: labelsOf(named),
  ...(Object.keys(annotations).length > 0 && { annotations }),
})

export const namespaceObject = (name: string): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: { 'app.kubernetes.io/part-of': 'tunnelctl', 'pod-security.kubernetes.io/enforce': 'restricted' },
  },
})
