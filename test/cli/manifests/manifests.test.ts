/** `tunnelctl manifests`: each flag does what it says, and what is typed wrong is said in one line. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  AGENT,
  allSets,
  argsIn,
  at,
  container,
  documentsIn,
  type Fields,
  fullAgent,
  fullGateway,
  GATEWAY,
  kinds,
  manifests,
  objects,
  only,
  pod,
} from '../../support/manifests.ts'

for (const [name, args] of [
  ['agent', fullAgent],
  ['gateway', fullGateway],
] as const) {
  test(`the whole ${name} is as it was looked at last`, async () => {
    const file = new URL(`${name}.yaml`, import.meta.url)
    const { out } = await manifests(...args)
    if (process.env.UPDATE_SCREENS === '1') writeFileSync(file, out)
    assert.equal(out, readFileSync(file, 'utf8'), 'UPDATE_SCREENS=1 writes it anew')
  })
}

test('the same line prints the same bytes, and JSON has the same objects', async () => {
  for (const args of allSets) {
    const { out, err } = await manifests(...args)
    assert.deepEqual(await manifests(...args), { code: 0, out, err })
    const list = JSON.parse((await manifests(...args, '--output', 'json')).out) as Fields
    assert.equal(list.kind, 'List')
    assert.deepEqual(list.items, documentsIn(out))
  }
})

test('the token is that of a Secret, or one that the cluster makes for an audience', async () => {
  const source = async (...args: string[]) => pod(await objects(...AGENT, ...args), 'volumes.0.projected.sources.0')
  assert.equal(at(await source(), 'secret.name'), 'tunnelctl-agent')
  assert.equal(at(await source('--token-secret', 'mine'), 'secret.name'), 'mine')
  const expirationSeconds = 3600
  assert.deepEqual(await source('--service-account-token'), {
    serviceAccountToken: { audience: 'tunnelctl-gateway', expirationSeconds, path: 'token' },
  })
  assert.equal(
    at(await source('--service-account-token', 'https://g.example.com'), 'serviceAccountToken.audience'),
    'https://g.example.com',
  )
})

test('only our own namespace is made unasked', async () => {
  const made = async (...args: string[]) => kinds(await objects(...AGENT, ...args)).includes('Namespace')
  assert.equal(await made(), true)
  assert.equal(await made('--namespace', 'prod'), false)
  assert.equal(await made('--namespace', 'tunnels', '--create-namespace'), true)
  const labels = at(only(await objects(...AGENT), 'Namespace'), 'metadata.labels') as Fields
  assert.equal(labels['pod-security.kubernetes.io/enforce'], 'restricted')
})

test('image, replicas, name, namespace and patterns arrive where they belong', async () => {
  const found = await objects(...fullAgent)
  assert.equal(container(found).image, 'registry.example.com/tunnelctl:1.2.3')
  assert.equal(at(only(found, 'Deployment'), 'spec.replicas'), 3)
  assert.equal(at(only(found, 'Deployment'), 'metadata.name'), 'tunnelctl-agent-prod')
  assert.deepEqual(
    argsIn(found).filter(arg => /^--(allow|deny)/.test(arg)),
    ['--allow=*/prod:*', '--deny=db/prod:*', '--deny=*/prod:22'],
  )
  const places = found.map(each => at(each, 'metadata.namespace')).filter(each => each !== 'prod' && each !== 'staging')
  assert.deepEqual([...new Set(places)], [undefined, 'tunnels'])
  assert.deepEqual(container(found).env, [{ name: 'TUNNELCTL_GATEWAY', value: 'wss://gateway.example.com:8443' }])
  assert.match(JSON.stringify(at(only(found, 'NetworkPolicy'), 'spec.egress')), /"port":8443/)
})

test('TLS ends at the edge, or where there is none at the gateway behind a load balancer', async () => {
  const tls = ['--tls-secret', 'gateway-tls']
  const own = await objects(...GATEWAY, ...tls)
  assert.equal(at(only(own, 'Service'), 'spec.type'), 'LoadBalancer')
  assert.equal(at(only(own, 'Service'), 'spec.ports.0.port'), 443)
  assert.ok(argsIn(own).includes('--tls-cert=/etc/tunnelctl/tls/tls.crt'))
  const edge = await objects(...GATEWAY, ...tls, '--ingress', 'nginx')
  assert.equal(at(only(edge, 'Service'), 'spec.type'), 'ClusterIP')
  assert.doesNotMatch(argsIn(edge).join(' '), /tls/)
  assert.deepEqual(at(only(edge, 'Ingress'), 'spec.tls'), [
    { hosts: ['gateway.example.com'], secretName: 'gateway-tls' },
  ])
  assert.equal(at(only(await objects('gateway'), 'Service'), 'spec.type'), 'ClusterIP', 'nothing in the clear outside')
})

const annotations = async (...args: string[]): Promise<Fields> =>
  at(only(await objects(...GATEWAY, ...args), 'Ingress'), 'metadata.annotations') as Fields

test('every edge leaves WebSockets open for as long as it can', async () => {
  const nginx = await annotations('--ingress', 'nginx')
  assert.equal(nginx['nginx.ingress.kubernetes.io/proxy-read-timeout'], '3600')
  assert.equal(nginx['nginx.ingress.kubernetes.io/proxy-send-timeout'], '3600')
  const alb = await annotations('--ingress', 'alb')
  assert.equal(alb['alb.ingress.kubernetes.io/load-balancer-attributes'], 'idle_timeout.timeout_seconds=3600')
  const gke = await objects(...GATEWAY, '--ingress', 'gke')
  assert.equal(at(only(gke, 'BackendConfig'), 'spec.timeoutSec'), 86_400)
  const named = (at(only(gke, 'Service'), 'metadata.annotations') as Fields)['cloud.google.com/backend-config']
  assert.equal(at(JSON.parse(String(named)), 'default'), at(only(gke, 'BackendConfig'), 'metadata.name'))
  const traefik = await annotations('--ingress', 'traefik')
  assert.equal(traefik['traefik.ingress.kubernetes.io/router.tls'], 'true')
  const preStop = async (edge: string) =>
    at(container(await objects(...GATEWAY, '--ingress', edge)), 'lifecycle.preStop.sleep.seconds')
  assert.deepEqual(await Promise.all(['nginx', 'alb', 'gke'].map(preStop)), [5, 20, 20])
})

test('an edge serves the hosts of the ingress too, and its class can be another one', async () => {
  const found = await objects(
    ...GATEWAY,
    '--ingress',
    'nginx',
    '--ingress-domain',
    'apps.example.com',
    '--ingress-class',
    'public',
  )
  const rules = at(only(found, 'Ingress'), 'spec.rules') as readonly Fields[]
  assert.deepEqual(
    rules.map(({ host }) => host),
    ['gateway.example.com', '*.apps.example.com'],
  )
  assert.equal(at(only(found, 'Ingress'), 'spec.ingressClassName'), 'public')
  assert.ok(argsIn(found).includes('--ingress-domain=apps.example.com'))
})

const mistakes: readonly (readonly [line: string, said: RegExp])[] = [
  ['agent', /no gateway was given/],
  ['agent --gateway ftp://x', /is not a ws or wss URL/],
  ['agent --gateway wss://g.example.com --namespace Prod', /--namespace "Prod" is not a name/],
  ['agent --gateway wss://g.example.com --name a_b', /--name "a_b" is not a name/],
  ['agent --gateway wss://g.example.com --replicas 0', /--replicas "0" is not a number of pods/],
  ['agent --gateway wss://g.example.com --image UPPER', /--image "UPPER" is not an image/],
  ['agent --gateway wss://g.example.com --allow db', /malformed pattern "db"/],
  ['agent --gateway wss://g.example.com --deny db', /malformed pattern "db"/],
  ['agent --gateway wss://g.example.com --token-secret a_b', /--token-secret "a_b" is not the name of an object/],
  ['agent --gateway wss://g.example.com --token-secret a --service-account-token', /exclude each other/],
  ['agent --gateway wss://g.example.com --discovery all', /Allowed choices are cluster, namespaces, off/],
  ['agent --gateway wss://g.example.com --discovery namespaces', /needs the namespaces/],
  ['agent --gateway wss://g.example.com --namespaces a', /goes with --discovery namespaces/],
  ['agent --gateway wss://g.example.com --discovery namespaces --namespaces a,B', /--namespaces "B" is not a name/],
  ['agent --gateway wss://g.example.com -o xml', /Allowed choices are yaml, json/],
  ['gateway --host localhost', /--host "localhost" is not a host/],
  ['gateway --replicas 2', /so there can be one/],
  ['gateway --ingress nginx', /--ingress nginx needs a host/],
  ['gateway --ingress-class a', /--ingress-class goes with --ingress/],
  ['gateway --host g.example.com --ingress alb --tls-secret a', /from ACM/],
  ['gateway --host g.example.com --ingress gateway-api', /needs its class/],
  ['gateway --host g.example.com --ingress gateway-api --ingress-class a', /needs a certificate/],
  ['gateway --oidc-issuer https://id.example.com', /go together/],
  ['gateway --oidc-issuer http://a.example.com --oidc-audience a --oidc-rules-configmap a', /no https URL/],
  ['nothing', /unknown command/],
]

for (const [line, said] of mistakes) {
  test(`one line and exit code 2: manifests ${line}`, async () => {
    const { code, out, err } = await manifests(...line.split(' '))
    assert.match(err, /^tunnelctl: [^\n]+\n$/)
    assert.match(err, said)
    assert.equal(code, 2)
    assert.equal(out, '')
  })
}
