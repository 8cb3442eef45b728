/** What `tunnelctl manifests` prints is what Kubernetes takes: by its own schema, and by kubectl. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { KubernetesSchema } from '../../support/kubernetes-schema.ts'
import { allSets, at, type Fields, kinds, manifests, objects, only } from '../../support/manifests.ts'
import { findProgram, realTest } from '../../support/servers.ts'

const schema = KubernetesSchema.load()
const skip = schema === undefined && 'TEST_K8S_OPENAPI names no OpenAPI document of Kubernetes'
const custom = ['Gateway', 'HTTPRoute', 'BackendConfig']

for (const args of allSets) {
  test(`no object has an unknown, missing or mistyped field: manifests ${args.join(' ')}`, { skip }, async () => {
    const found = await objects(...args)
    for (const object of found.filter(({ kind }) => !custom.includes(String(kind)))) {
      assert.deepEqual(schema?.violations(object), [])
    }
  })
}

test('the schema would notice', { skip }, async () => {
  const [first] = allSets
  const deployment = only(await objects(...(first ?? [])), 'Deployment')
  const broken = (text: string, by: string): string[] => {
    const json = JSON.stringify(deployment)
    assert.ok(json.includes(text), text)
    return schema?.violations(JSON.parse(json.replace(text, by)) as Fields) ?? []
  }
  const wrong: readonly [text: string, by: string, said: RegExp][] = [
    ['"readOnlyRootFilesystem"', '"readOnlyFilesystem"', /securityContext\.readOnlyFilesystem is unknown/],
    ['"selector":', '"selectors":', /Deployment\.spec has no selector/],
    ['"replicas":2', '"replicas":"2"', /replicas is not a whole number/],
    ['"memory":"96Mi"', '"memory":"96 MiB"', /memory is not a quantity/],
    ['"port":"admin"', '"port":["admin"]', /port is not a number or a text/],
    ['"ScheduleAnyway"', '"Anyway"', /whenUnsatisfiable is not one of/],
    ['"automountServiceAccountToken":false', '"automountServiceAccountToken":"no"', /is not true or false/],
    ['"apps/v1"', '"apps/v1beta1"', /there is no apps\/v1beta1 Deployment/],
  ]
  for (const [text, by, said] of wrong) assert.match(broken(text, by).join('\n'), said)
})

test('a Gateway and its HTTPRoute fit each other and the Service', async () => {
  const args = allSets.find(each => each.includes('gateway-api')) ?? []
  const found = await objects(...args)
  const gateway = only(found, 'Gateway')
  const route = only(found, 'HTTPRoute')
  const service = only(found, 'Service')
  for (const each of [gateway, route]) assert.equal(each.apiVersion, 'gateway.networking.k8s.io/v1')
  assert.deepEqual(Object.keys(gateway.spec as object), ['gatewayClassName', 'listeners'])
  assert.equal(at(route, 'spec.parentRefs.0.name'), at(gateway, 'metadata.name'))
  assert.equal(at(route, 'spec.parentRefs.0.sectionName'), at(gateway, 'spec.listeners.0.name'))
  assert.equal(at(route, 'spec.rules.0.backendRefs.0.name'), at(service, 'metadata.name'))
  assert.equal(at(route, 'spec.rules.0.backendRefs.0.port'), at(service, 'spec.ports.0.port'))
  assert.deepEqual(at(route, 'spec.hostnames'), ['gateway.example.com', '*.apps.example.com'])
  assert.deepEqual(at(route, 'spec.rules.0.timeouts'), { request: '0s', backendRequest: '0s' })
  assert.equal(at(service, 'spec.ports.0.appProtocol'), 'kubernetes.io/ws')
})

const kubectl = { programs: ['kubectl'], packages: 'kubernetes-client' }
realTest('kubectl reads the same objects out of the YAML and out of the JSON', kubectl, async () => {
  const read = (text: string, format: 'yaml' | 'json'): unknown => {
    // The only command that parses documents without asking a server.
    const local = ['label', '--local', '-f', '-', '-o', 'json', 'read=yes']
    const { stdout, stderr, status } = spawnSync(findProgram('kubectl') ?? '', local, { input: text, encoding: 'utf8' })
    assert.equal(status, 0, `${format}: ${stderr}`)
    return stdout
  }
  for (const args of allSets.filter(each => !each.includes('gateway-api') && !each.includes('gke'))) {
    const yaml = await manifests(...args)
    const json = await manifests(...args, '-o', 'json')
    const found = read(yaml.out, 'yaml')
    assert.equal(found, read(json.out, 'json'))
    for (const kind of kinds(await objects(...args))) assert.match(String(found), new RegExp(`"kind": "${kind}"`))
  }
})
