/** No pod of `tunnelctl manifests` gets more rights than it needs, and no secret is in any object. */
import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { wholeProgram } from '../../../src/cli/program.ts'
import { parseDuration } from '../../../src/net/duration.ts'
import {
  AGENT,
  allSets,
  argsIn,
  at,
  container,
  documentsIn,
  type Fields,
  fullGateway,
  GATEWAY,
  kinds,
  manifests,
  objects,
  only,
  pod,
} from '../../support/manifests.ts'

test('what is still to be made is said on stderr and in comments, and no secret is in any object', async () => {
  for (const args of allSets) {
    const { out, err } = await manifests(...args)
    assert.ok(!kinds(documentsIn(out)).includes('Secret'))
    assert.doesNotMatch(out, /not-this|eyJ|PRIVATE KEY/)
    for (const line of err.trimEnd().split('\n')) assert.ok(out.includes(`# ${line}\n`), line)
  }
  const { err } = await manifests(...AGENT, '-n', 'tunnels', '--name', 'prod')
  assert.match(err, /kubectl -n tunnels create secret generic tunnelctl-agent-prod --from-file=token=agent\.token/)
  assert.match(err, /token create .*--agent prod /)
})

test('every argument that a pod gets is a flag of its command', async () => {
  const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
  const program = await wholeProgram({ stdin: Readable.from([]), stdout: silent(), stderr: silent(), env: {} })
  for (const args of allSets) {
    const found = await objects(...args)
    const [name, ...flags] = argsIn(found)
    const command = program.commands.find(each => each.name() === name)
    assert.ok(command !== undefined)
    for (const flag of flags) {
      assert.ok(
        command.options.some(({ long }) => flag.startsWith(`${long}=`)),
        flag,
      )
    }
    for (const { name: variable } of (container(found).env ?? []) as readonly Fields[]) {
      assert.ok(
        command.options.some(({ envVar }) => envVar === variable),
        String(variable),
      )
    }
  }
})

test('every pod is as restricted as Kubernetes can ask for, and has time to end', async () => {
  for (const args of allSets) {
    const found = await objects(...args)
    const { securityContext, lifecycle, resources } = container(found)
    assert.deepEqual(securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    assert.equal(pod(found, 'securityContext.runAsNonRoot'), true)
    assert.equal(pod(found, 'securityContext.runAsUser'), 65_532)
    assert.equal(pod(found, 'securityContext.seccompProfile.type'), 'RuntimeDefault')
    assert.equal(at(only(found, 'Deployment'), 'spec.strategy.rollingUpdate.maxUnavailable'), 0)
    assert.ok(at(resources, 'requests.memory') !== undefined && at(resources, 'limits.memory') !== undefined)
    const sleep = Number(at(lifecycle, 'preStop.sleep.seconds') ?? 0)
    assert.equal(sleep > 0, args[0] === 'gateway', 'only a gateway is dialled')
    const [, drain = ''] = /--drain-timeout=(\S+)/.exec(argsIn(found).join(' ')) ?? []
    const grace = Number(pod(found, 'terminationGracePeriodSeconds'))
    assert.ok(grace > sleep + parseDuration(drain) / 1000, `${grace} s`)
  }
})

test('what selects pods selects these, and what is mounted is there', async () => {
  for (const args of allSets) {
    const found = await objects(...args)
    const labels = at(only(found, 'Deployment'), 'spec.template.metadata.labels') as Fields
    const selectors = [
      at(only(found, 'Deployment'), 'spec.selector.matchLabels'),
      at(only(found, 'PodDisruptionBudget'), 'spec.selector.matchLabels'),
      at(only(found, 'NetworkPolicy'), 'spec.podSelector.matchLabels'),
      ...found.filter(({ kind }) => kind === 'Service').map(service => at(service, 'spec.selector')),
    ]
    for (const selector of selectors) assert.deepEqual({ ...labels, ...(selector as Fields) }, labels)
    const names = (list: unknown) => (list as readonly Fields[]).map(({ name }) => name)
    assert.deepEqual(names(container(found).volumeMounts), names(pod(found, 'volumes')))
    const folders = (container(found).volumeMounts as readonly Fields[]).map(({ mountPath }) => mountPath)
    const files = argsIn(found).flatMap(arg => /=(\/.*)\/[^/]+$/.exec(arg)?.[1] ?? [])
    assert.deepEqual([...new Set(files)], folders)
    const ports = (container(found).ports as readonly Fields[]).map(({ containerPort }) => containerPort)
    const open = (at(only(found, 'NetworkPolicy'), 'spec.ingress.0.ports') as readonly Fields[]).map(({ port }) => port)
    assert.deepEqual(open, ports)
  }
})

const RBAC = /^(Cluster)?Role(Binding)?$/
const rights = (found: readonly Fields[]) => found.filter(({ kind }) => RBAC.test(String(kind)))

test('without discovery an agent has no rights and no token of the cluster', async () => {
  const found = await objects(...AGENT)
  assert.deepEqual(rights(found), [])
  assert.equal(pod(found, 'automountServiceAccountToken'), false)
  assert.equal(at(only(found, 'ServiceAccount'), 'automountServiceAccountToken'), false)
  assert.ok(argsIn(found).includes('--discovery=off'))
  assert.doesNotMatch(JSON.stringify(only(found, 'NetworkPolicy')), /6443/)
})

const readOnly = [
  { apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
]

test('discovery in the cluster reads everywhere, and changes nothing', async () => {
  const found = await objects(...AGENT, '--discovery', 'cluster')
  assert.deepEqual(kinds(rights(found)), ['ClusterRole', 'ClusterRoleBinding'])
  assert.deepEqual(only(found, 'ClusterRole').rules, readOnly)
  assert.equal(at(only(found, 'ClusterRoleBinding'), 'roleRef.name'), at(only(found, 'ClusterRole'), 'metadata.name'))
  assert.equal(pod(found, 'automountServiceAccountToken'), true)
  assert.ok(argsIn(found).includes('--discovery=cluster'))
  assert.match(JSON.stringify(only(found, 'NetworkPolicy')), /6443/)
})

test('discovery in namespaces reads these, reaches these, and nothing of the whole cluster', async () => {
  const found = await objects(
    ...AGENT,
    '--discovery',
    'namespaces',
    '--namespaces',
    'prod,staging',
    '--namespaces',
    'prod',
  )
  assert.deepEqual(
    rights(found).map(each => [each.kind, at(each, 'metadata.namespace')]),
    ['prod', 'staging'].flatMap(namespace => [
      ['Role', namespace],
      ['RoleBinding', namespace],
    ]),
  )
  for (const role of found.filter(({ kind }) => kind === 'Role')) assert.deepEqual(role.rules, readOnly)
  for (const binding of found.filter(({ kind }) => kind === 'RoleBinding')) {
    assert.deepEqual(binding.subjects, [{ kind: 'ServiceAccount', name: 'tunnelctl-agent', namespace: 'tunnelctl' }])
    assert.equal(at(binding, 'roleRef.kind'), 'Role')
  }
  assert.ok(argsIn(found).includes('--discovery=namespaces'))
  assert.ok(argsIn(found).includes('--discovery-namespaces=prod,staging'))
  const egress = at(only(found, 'NetworkPolicy'), 'spec.egress') as readonly Fields[]
  assert.deepEqual(at(egress.at(-1), 'to.0.namespaceSelector.matchExpressions.0.values'), ['prod', 'staging'])
})

test('a gateway has no rights at all, and dials only the issuer of its people', async () => {
  const plain = await objects(...GATEWAY)
  assert.deepEqual(rights(plain), [])
  assert.deepEqual(at(only(plain, 'NetworkPolicy'), 'spec.egress'), [])
  const oidc = await objects(...fullGateway)
  assert.match(JSON.stringify(at(only(oidc, 'NetworkPolicy'), 'spec.egress')), /"port":443/)
  assert.ok(argsIn(oidc).includes('--oidc-rules=/etc/tunnelctl/rules/rules.yaml'))
})

test('a gateway that reviews tokens may do that and nothing else, and reads whose agents they are', async () => {
  const found = await objects('gateway', '--clusters-configmap', 'clusters', '--token-review')
  assert.deepEqual(kinds(rights(found)), ['ClusterRoleBinding'])
  assert.equal(at(only(found, 'ClusterRoleBinding'), 'roleRef.name'), 'system:auth-delegator')
  assert.equal(pod(found, 'automountServiceAccountToken'), true)
  assert.ok(argsIn(found).includes('--clusters=/etc/tunnelctl/clusters/clusters.yaml'))
  const without = await objects('gateway', '--clusters-configmap', 'clusters')
  assert.deepEqual(rights(without), [])
  assert.equal(pod(without, 'automountServiceAccountToken'), false)
})
