/**
 * What `tunnelctl manifests` prints goes through kubectl into an API server: one in this process, or, with
 * TEST_KUBECONFIG, the one that this kubeconfig leads to.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { Discovery } from '../../src/agent/discovery.ts'
import { systemClock } from '../../src/clock.ts'
import { KubernetesApi } from '../../src/kubernetes/api.ts'
import { parseTarget } from '../../src/net/target.ts'
import { nullLog } from '../../src/observe/log.ts'
import { KubeStore } from '../support/kube-store.ts'
import { at, kinds, manifests, objects } from '../support/manifests.ts'
import { eventually } from '../support/processes.ts'
import { programAt, realTest } from '../support/servers.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const real = process.env.TEST_KUBECONFIG
const store = real === undefined ? await KubeStore.start(scope) : undefined
const kubeconfig = real ?? (await site.file('kubeconfig', configFor(store?.url ?? '')))
const tool = { programs: ['kubectl'], packages: 'kubernetes-client' }

/** One for each set: a namespace that is being taken away takes nothing new. */
const namespaceOf = (index: number | string) => `tunnelctl-test-${process.pid}-${index}`
const AGENT = ['agent', '--gateway', 'wss://gateway.example.com', '--create-namespace']
const GATEWAY = ['gateway', '--host', 'gateway.example.com', '--create-namespace']
const sets: readonly (readonly string[])[] = [
  [...AGENT, '--discovery', 'cluster', '--replicas', '2'],
  [...AGENT, '--discovery', 'namespaces', '--namespaces', namespaceOf(1), '--service-account-token'],
  [...GATEWAY, '--tls-secret', 'gateway-tls'],
  [...GATEWAY, '--ingress', 'nginx', '--clusters-configmap', 'clusters', '--token-review'],
]

function configFor(server: string): string {
  const named = { name: 'test' }
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
    clusters: [{ ...named, cluster: { server } }],
    users: [{ ...named, user: {} }],
    contexts: [{ ...named, context: { cluster: 'test', user: 'test' } }],
  })
}

/** Lines of stdout, of kubectl with the text as its file. */
async function kubectl(text: string, ...args: readonly string[]): Promise<string[]> {
  const env = { PATH: process.env.PATH, HOME: site.folder, KUBECONFIG: kubeconfig }
  const child = spawn(programAt('kubectl'), [...args, '-f', '-'], { env })
  let [out, err] = ['', '']
  child.stdout.on('data', data => (out += String(data)))
  child.stderr.on('data', data => (err += String(data)))
  child.stdin.end(text)
  const [code] = await once(child, 'close')
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${err}`)
  return out.trimEnd().split('\n')
}

// The server in this process tells no schema: that all fields are known is seen by test/cli/manifests/schema.test.ts.
const validate = real === undefined ? ['--validate=false'] : []

for (const [index, set] of sets.entries()) {
  const args = [...set, '--namespace', namespaceOf(index)]
  const what = set.join(' ').replace(namespaceOf(index), 'NAMESPACE')
  realTest(`kubectl makes, knows again, and takes away each object: manifests ${what}`, tool, async () => {
    const { out } = await manifests(...args)
    const found = await objects(...args)
    const each = (words: string) => found.map(object => new RegExp(`/${at(object, 'metadata.name')} ${words}$`))
    const matchAll = (lines: readonly string[], words: string) => {
      assert.equal(lines.length, found.length, lines.join('\n'))
      for (const [index, line] of each(words).entries()) assert.match(lines[index] ?? '', line)
    }
    try {
      matchAll(await kubectl(out, 'apply', ...validate), 'created')
      // kubectl says so of each disruption budget, whose selector it patches with the same.
      matchAll(await kubectl(out, 'apply', ...validate), '(unchanged|configured)')
      const names = await kubectl(out, 'get', '-o', 'name')
      assert.deepEqual(
        names.map(name => name.replace(/[./].*/, '')),
        kinds(found).map(kind => kind.toLowerCase()),
      )
      const server = ['apply', '--server-side', '--force-conflicts', ...validate]
      matchAll(await kubectl(out, ...server), 'serverside-applied')
      if (store !== undefined) assert.equal(store.objects.size, found.length)
    } finally {
      await kubectl(out, 'delete', '--ignore-not-found', '--wait=false')
    }
    if (store !== undefined) assert.equal(store.objects.size, 0)
  })
}

realTest('without its namespace nothing of it is made, and kubectl says why', tool, async () => {
  const { out } = await manifests('agent', '--gateway', 'wss://gateway.example.com', '--namespace', namespaceOf('none'))
  await assert.rejects(kubectl(out, 'apply', ...validate), /namespaces \\?"tunnelctl-test-\d+-none\\?" not found/)
})

const skip = real === undefined && 'TEST_KUBECONFIG names no cluster'

test('what a real API server says of services and pods is understood, and each change within two seconds', {
  skip,
}, async t => {
  const env = { PATH: process.env.PATH, HOME: site.folder, KUBECONFIG: kubeconfig }
  const proxy = spawn(programAt('kubectl'), ['proxy', '--port=0'], { env })
  t.after(() => void proxy.kill())
  const [started] = (await once(proxy.stdout, 'data')) as [Buffer]
  const [, port] = /:(\d+)\s*$/.exec(String(started)) ?? assert.fail(String(started))
  const found = namespaceOf('found')
  const metadata = { name: 'web', namespace: found }
  const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: found } }
  const ports = [{ name: 'http', port: 80 }]
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: 'web' }, ports } }
  const slice = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: ['192.0.2.7'], targetRef: { kind: 'Pod', name: 'web-6c8b-zzzzz', namespace: found } }],
  }
  const ready = new Map<string, boolean>()
  const discovery = new Discovery({
    api: new KubernetesApi({ url: new URL(`http://127.0.0.1:${port}`) }),
    ...{ clock: systemClock, wallNow: Date.now, random: Math.random, log: nullLog },
    changed: ({ set, remove }) => {
      for (const each of remove) ready.delete(each)
      for (const each of set) ready.set(`${each.service}/${each.namespace}`, each.ready !== false)
    },
  })
  const end = new AbortController()
  const running = discovery.run(end.signal)
  t.after(async () => {
    end.abort()
    await running
  })
  const seen = (wanted: boolean | undefined) =>
    eventually(
      () => ready.get(`web/${found}`) === wanted,
      () => `web is ${ready.get(`web/${found}`)}`,
      2_000,
    )
  try {
    await kubectl(JSON.stringify(space), 'create')
    await kubectl(JSON.stringify(service), 'create')
    await seen(false)
    await kubectl(JSON.stringify(slice), 'create')
    await seen(true)
    const target = parseTarget(`deploy/web/${found}:http`)
    assert.deepEqual(discovery.pods(target), {
      ...{ addresses: [{ address: '192.0.2.7', family: 4 }], port: 8080 },
      services: ['web'],
    })
    await kubectl(JSON.stringify(service), 'delete')
    await seen(undefined)
  } finally {
    await kubectl(JSON.stringify(space), 'delete', '--wait=false')
  }
})
