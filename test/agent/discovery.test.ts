import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Discovery, type DiscoveryOptions } from '../../src/agent/discovery.ts'
import type { CatalogueChange } from '../../src/agent/publish.ts'
import { systemClock } from '../../src/clock.ts'
import { KubernetesApi } from '../../src/kubernetes/api.ts'
import { parseTarget } from '../../src/net/target.ts'
import { nullLog } from '../../src/observe/log.ts'
import { KubeApi } from '../support/kube-api.ts'
import type { Scope } from '../support/tunnel.ts'

const LOOKS = 500
const WALL_NOW = 1_790_000_000_000
const LOOK_MS = 10
const postgres = { port: 5432, name: 'postgres', protocol: 'TCP' }

/** What a gateway would know by now, and what it was told for that. */
async function start(scope: Scope, kube: KubeApi, more: Partial<DiscoveryOptions> = {}) {
  const known = new Map<string, string>()
  const changes: CatalogueChange[] = []
  const warnings: object[] = []
  const discovery = new Discovery({
    api: new KubernetesApi({ url: new URL(kube.url) }),
    clock: systemClock,
    wallNow: () => WALL_NOW,
    random: () => 0,
    log: { ...nullLog, warn: (event, fields) => void warnings.push({ event, ...fields }) },
    changed: change => {
      changes.push(change)
      for (const name of change.remove) known.delete(name)
      for (const { service, namespace, ports, ready } of change.set) {
        const shown = ports.map(({ port, name, protocol }) => `${port}${name ? `=${name}` : ''}/${protocol}`).join()
        known.set(`${service}/${namespace}`, ready === false ? `${shown} not ready` : shown)
      }
    },
    ...more,
  })
  const end = new AbortController()
  const running = discovery.run(end.signal)
  scope.after(async () => {
    end.abort()
    await running
  })
  const knows = async (wanted: Readonly<Record<string, string>>): Promise<void> => {
    for (let look = 0; look < LOOKS; look++) {
      try {
        return assert.deepEqual(Object.fromEntries([...known].sort()), wanted)
      } catch (thrown) {
        if (look === LOOKS - 1) throw thrown
        await new Promise(resolve => setTimeout(resolve, LOOK_MS))
      }
    }
  }
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let look = 0; !holds(); look++) {
      assert.ok(look < LOOKS, what)
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }
  return { discovery, knows, until, changes, warnings }
}

test('what there is is told, page after page, and then each change, once', async t => {
  const kube = await KubeApi.start(t)
  kube.service('prod', 'db', [postgres])
  kube.slice('prod', 'db', [true])
  for (const name of ['a', 'b', 'c', 'd']) kube.service('dev', name, [{ port: 80, protocol: 'TCP' }], { selector: {} })
  kube.service(
    'kube-system',
    'dns',
    [
      { port: 53, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
    ],
    { selector: {} },
  )
  const { knows, until, changes, discovery } = await start(t, kube)
  const rest = {
    'a/dev': '80/tcp',
    'b/dev': '80/tcp',
    'c/dev': '80/tcp',
    'd/dev': '80/tcp',
    'dns/kube-system': '53/udp,53/tcp',
  }
  await knows({ ...rest, 'db/prod': '5432=postgres/tcp' })
  await until('both are watched', () => kube.watches === 2)
  assert.equal([...discovery.services()].length, 6)
  const before = changes.length
  kube.service('prod', 'web', [{ port: 8080, protocol: 'TCP' }], { selector: {} })
  kube.delete('services', 'dev', 'a')
  kube.service('prod', 'db', [{ port: 5433, protocol: 'TCP' }])
  const { 'a/dev': _gone, ...left } = rest
  await knows({ ...left, 'db/prod': '5433/tcp', 'web/prod': '8080/tcp' })
  const told = changes
    .slice(before)
    .flatMap(({ set, remove }) => [...[...set].map(({ service }) => service), ...remove])
  assert.deepEqual(told.sort(), ['a/dev', 'db', 'web'])
})

test('a service without a ready endpoint is said to have none, and is ready again when one is', async t => {
  const kube = await KubeApi.start(t)
  kube.service('prod', 'db', [postgres])
  kube.service('prod', 'elsewhere', [postgres], { selector: {} })
  const { knows, discovery } = await start(t, kube)
  const elsewhere = { 'elsewhere/prod': '5432=postgres/tcp' }
  await knows({ ...elsewhere, 'db/prod': '5432=postgres/tcp not ready' })
  const target = parseTarget('db/prod:5432')
  assert.match(
    discovery.notReady(target)?.message ?? '',
    /^cannot reach db\/prod:5432: the service has no ready endpoints$/,
  )
  assert.equal(
    discovery.notReady(parseTarget('elsewhere/prod:5432')),
    undefined,
    'whose endpoints Kubernetes does not make',
  )
  assert.equal(discovery.notReady(parseTarget('unknown/prod:1')), undefined)
  kube.slice('prod', 'db', [false, false])
  kube.slice('prod', 'db', [true], 'db-2')
  await knows({ ...elsewhere, 'db/prod': '5432=postgres/tcp' })
  assert.equal(discovery.notReady(target), undefined)
  kube.delete('endpointslices', 'prod', 'db-2')
  await knows({ ...elsewhere, 'db/prod': '5432=postgres/tcp not ready' })
})

test('pods are found in the namespace of the target, and change as the slices do', async t => {
  const kube = await KubeApi.start(t)
  const endpoint = (pod: string, address: string) => ({ addresses: [address], targetRef: { kind: 'Pod', name: pod } })
  kube.service('prod', 'db', [postgres])
  kube.endpoints('prod', 'db', [endpoint('db-0', '10.0.0.1')])
  kube.service('dev', 'db', [postgres])
  kube.endpoints('dev', 'db', [endpoint('db-0', '10.0.9.1')])
  const { knows, until, discovery } = await start(t, kube)
  await knows({ 'db/dev': '5432=postgres/tcp', 'db/prod': '5432=postgres/tcp' })
  const at = (text: string) => discovery.pods(parseTarget(text)).addresses[0]?.address
  assert.equal(at('pod/db-0/prod:1'), '10.0.0.1')
  assert.equal(at('pod/db-0/dev:1'), '10.0.9.1')
  kube.endpoints('prod', 'db', [endpoint('db-0', '10.0.0.2')])
  await until('the pod has moved', () => at('pod/db-0/prod:1') === '10.0.0.2')
  assert.throws(() => at('pod/db-0/elsewhere:1'), { code: 'UNREACHABLE' })
})

test('what is hidden, what is elsewhere and what cannot be read is not told', async t => {
  const kube = await KubeApi.start(t)
  kube.service('prod', 'hidden', [postgres], { annotations: { 'tunnelctl.dev/expose': 'false' } })
  kube.put(
    'services',
    { name: 'outside', namespace: 'prod' },
    { spec: { type: 'ExternalName', externalName: 'x.example', ports: [postgres] } },
  )
  kube.put('services', { name: 'no-ports', namespace: 'prod' }, { spec: {} })
  kube.put(
    'services',
    { name: 'odd', namespace: 'prod' },
    { spec: { ports: [{ port: '80' }, { port: 70_000 }, { port: 1, protocol: 'SCTP' }, null] } },
  )
  kube.put('services', { name: 'Bad_Name', namespace: 'prod' }, { spec: { ports: [postgres] } })
  kube.service('prod', 'web', [{ port: 80 }], { selector: {} })
  kube.service('prod', 'own', [{ port: 80 }], { selector: {} })
  const { knows, discovery } = await start(t, kube, { listed: new Set(['own/prod']) })
  await knows({ 'web/prod': '80/tcp' })
  assert.deepEqual(
    [...discovery.services()].map(({ service }) => service),
    ['web'],
  )
})

for (const how of ['status', 'event'] as const) {
  test(`a watch that is too old, told by ${how}, begins with a list again, and what has gone meanwhile is removed`, async t => {
    const kube = await KubeApi.start(t)
    for (const name of ['one', 'two']) kube.service('prod', name, [{ port: 80 }], { selector: {} })
    const { knows, until } = await start(t, kube)
    await knows({ 'one/prod': '80/tcp', 'two/prod': '80/tcp' })
    await until('both are watched', () => kube.watches === 2)
    kube.forget(how)
    // Nobody is watching: it is not told of, and must be missed.
    kube.delete('services', 'prod', 'one')
    await knows({ 'two/prod': '80/tcp' })
  })
}

test('a watch that ends in its time goes on from the last bookmark, without a list', async t => {
  const kube = await KubeApi.start(t)
  kube.service('prod', 'web', [{ port: 80 }], { selector: {} })
  const { knows, until } = await start(t, kube)
  await knows({ 'web/prod': '80/tcp' })
  await until('both are watched', () => kube.watches === 2)
  kube.bookmark()
  kube.endWatches()
  await until('both are watched again', () => kube.watches === 2 && kube.asked.length >= 6)
  assert.equal(kube.asked.filter(each => each === 'list services').length, 1)
  kube.service('prod', 'more', [{ port: 81 }], { selector: {} })
  await knows({ 'more/prod': '81/tcp', 'web/prod': '80/tcp' })
})

test('namespaces are asked for one by one, and nothing else is', async t => {
  const kube = await KubeApi.start(t)
  for (const namespace of ['a', 'b', 'c']) kube.service(namespace, 'web', [{ port: 80 }], { selector: {} })
  const { knows } = await start(t, kube, { namespaces: ['a', 'b'] })
  await knows({ 'web/a': '80/tcp', 'web/b': '80/tcp' })
  assert.ok(
    kube.asked.every(each => / in [ab]$/.test(each)),
    kube.asked.join(),
  )
})

test('without the right to ask, one line says which is missing and how to grant it; it goes on when it is there', async t => {
  const kube = await KubeApi.start(t)
  kube.service('prod', 'web', [{ port: 80 }])
  kube.refusals.set('endpointslices', { status: 403, message: 'endpointslices.discovery.k8s.io is forbidden' })
  const { knows, until, warnings, discovery } = await start(t, kube)
  // While nobody knows what is ready, everything may be.
  await knows({ 'web/prod': '80/tcp' })
  await until('it is told', () => warnings.length > 0)
  const [warning] = warnings as { event: string; resource: string; grant: string }[]
  assert.deepEqual([warning?.event, warning?.resource], ['discovery forbidden', 'endpointslices'])
  assert.match(
    warning?.grant ?? '',
    /^kubectl create clusterrole tunnelctl-agent --verb=get,list,watch --resource=services,endpointslices/,
  )
  assert.equal(discovery.staleSince, undefined, 'what was never known is not old')
  assert.throws(() => discovery.pods(parseTarget('pod/web-0/prod:80')), {
    code: 'UNREACHABLE',
    message: 'cannot reach pod/web-0/prod:80: the agent does not see the endpoints of services',
  })
  kube.refusals.clear()
  await knows({ 'web/prod': '80/tcp not ready' })
  assert.equal(warnings.length, 1)
})

test('an API that goes away takes nothing with it, and since when is told', async t => {
  const kube = await KubeApi.start(t)
  kube.service('prod', 'web', [{ port: 80 }], { selector: {} })
  kube.service('prod', 'down', [{ port: 80 }])
  const { knows, until, warnings, discovery, changes } = await start(t, kube)
  await knows({ 'down/prod': '80/tcp not ready', 'web/prod': '80/tcp' })
  await until('both are watched', () => kube.watches === 2)
  for (const resource of ['services', 'endpointslices'])
    kube.refusals.set(resource, { status: 500, message: 'etcd is away' })
  kube.endWatches()
  await until('it is told, of both', () => warnings.length === 2)
  assert.equal([...discovery.services()].length, 2)
  assert.equal(discovery.staleSince, WALL_NOW)
  assert.equal(discovery.notReady(parseTarget('down/prod:80')), undefined, 'it may have come up since')
  kube.refusals.clear()
  await until('both are watched again, though nothing has changed', () => discovery.staleSince === undefined)
  const told = changes.flatMap(({ staleSince }) => (staleSince === undefined ? [] : [staleSince]))
  assert.deepEqual(told, [WALL_NOW, null])
  assert.ok(discovery.notReady(parseTarget('down/prod:80')) !== undefined)
  kube.service('prod', 'new', [{ port: 81 }], { selector: {} })
  await knows({ 'down/prod': '80/tcp not ready', 'new/prod': '81/tcp', 'web/prod': '80/tcp' })
})
