/** What an agent may ask of the API server: as much as its discovery needs, where it needs it, and never to change anything. */
import type { Discovery } from './install.ts'
import { labelsOf, type Named } from './metadata.ts'
import type { Role, RoleBinding, Rule } from './objects.ts'

const verbs = ['get', 'list', 'watch']
const rules: readonly Rule[] = [
  { apiGroups: [''], resources: ['services'], verbs },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
]

export function discoveryAccess(named: Named, discovery: Discovery): (Role | RoleBinding)[] {
  switch (discovery.mode) {
    case 'off':
      return []
    case 'cluster':
      return grant(named, 'Cluster')
    case 'namespaces':
      return discovery.namespaces.flatMap(namespace => grant(named, '', namespace))
  }
}

function grant(named: Named, scope: 'Cluster' | '', namespace?: string): [Role, RoleBinding] {
  const kind = `${scope}Role` as const
  // What belongs to others, or to the cluster, says where it comes from: two installs do not take each other's.
  const metadata = {
    name: `${named.namespace}:${named.object}`,
    ...(namespace !== undefined && { namespace }),
    labels: labelsOf(named),
  }
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  return [
    { apiVersion, kind, metadata, rules },
    {
      apiVersion,
      kind: `${scope}RoleBinding`,
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: named.object, namespace: named.namespace }],
    },
  ]
}
