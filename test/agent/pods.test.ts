import assert from 'node:assert/strict'
import { test } from 'node:test'
import { podsOf } from '../../src/agent/pods.ts'
import { sliceFrom } from '../../src/kubernetes/objects.ts'
import { parseTarget } from '../../src/net/target.ts'

const slice = (service: string, pods: Readonly<Record<string, string>>, more: object = {}) => {
  const read = sliceFrom({
    metadata: { name: `${service}-1`, namespace: 'prod', labels: { 'kubernetes.io/service-name': service } },
    endpoints: Object.entries(pods).map(([pod, address]) => ({
      addresses: [address.replace('!', '')],
      conditions: { ready: !address.startsWith('!') },
      targetRef: { kind: 'Pod', name: pod, namespace: 'prod' },
    })),
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    ...more,
  })
  assert.ok(read !== undefined)
  return read
}
const slices = [
  slice('web', { 'web-5d4f9c7b8-2x9zk': '10.0.0.1', 'web-5d4f9c7b8-4b7cd': '!10.0.0.2', 'web-6c8b-zzzzz': '10.0.0.3' }),
  slice('web-admin', { 'web-5d4f9c7b8-2x9zk': '10.0.0.1' }, { ports: [{ name: 'admin', port: 9090 }] }),
  slice('web-api', { 'web-api-5d4f9c7b8-2x9zk': '10.0.0.9' }),
  slice('db', { 'db-0': '!10.0.0.20', 'db-1': 'fd00::21' }),
]
const at = (text: string, random = 0) => podsOf(parseTarget(text), slices, () => random)
const addresses = (text: string, random = 0) => at(text, random).addresses.map(({ address }) => address)

test('a pod is where its endpoint says, also when it is not ready', () => {
  assert.deepEqual(at('pod/db-1/prod:5432'), {
    addresses: [{ address: 'fd00::21', family: 6 }],
    port: 5432,
    services: ['db'],
  })
  assert.deepEqual(addresses('pod/db-0/prod:5432'), ['10.0.0.20'])
})

test('a deployment is its ready pods, each first at its turn, and not those of one whose name begins alike', () => {
  assert.deepEqual(addresses('deploy/web/prod:80'), ['10.0.0.1', '10.0.0.3'])
  assert.deepEqual(addresses('deploy/web/prod:80', 0.5), ['10.0.0.3', '10.0.0.1'])
  assert.deepEqual(addresses('deploy/web-api/prod:80'), ['10.0.0.9'])
  assert.throws(() => at('deploy/db/prod:80'), /no service has such a pod behind it/, 'a set names its pods otherwise')
})

test('a port by name is the pod’s own number, whichever service names it', () => {
  assert.equal(at('pod/web-5d4f9c7b8-2x9zk/prod:http').port, 8080)
  assert.equal(at('deploy/web/prod:admin').port, 9090)
  assert.deepEqual(at('deploy/web/prod:80').services, ['web', 'web-admin'])
  assert.throws(() => at('pod/db-1/prod:psql'), {
    code: 'UNREACHABLE',
    message: 'cannot reach pod/db-1/prod:psql: no service has a port of this name for it',
  })
  assert.throws(() => at('deploy/web/prod:http/udp'), { code: 'UNREACHABLE' })
})

test('who is not there, or not ready, is said to be so', () => {
  assert.throws(() => at('pod/db-7/prod:1'), {
    message: 'cannot reach pod/db-7/prod:1: no service has such a pod behind it',
    hint: 'see: kubectl get pods -n prod',
  })
  const down = [slice('web', { 'web-5d4f9c7b8-2x9zk': '!10.0.0.1' })]
  assert.throws(() => podsOf(parseTarget('deploy/web/prod:80'), down, () => 0), /none of its pods is ready/)
})

test('more pods than can be tried are cut, and what is no address is passed over', () => {
  const ending = (index: number) => `bbbb${'bcdfghjklmnpqrstvwxz'[index]}`
  const many = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`web-bb-${ending(index)}`, `10.0.1.${index}`]),
  )
  const { addresses: tried } = podsOf(parseTarget('deploy/web/prod:80'), [slice('web', many)], () => 0.99)
  assert.equal(tried.length, 16)
  assert.equal(tried[0]?.address, '10.0.1.19')
  const odd = slice('web', { 'web-0': 'node.example' })
  assert.throws(() => podsOf(parseTarget('pod/web-0/prod:80'), [odd], () => 0), { code: 'UNREACHABLE' })
})
