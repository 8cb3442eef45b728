/** deploy/: the charts and the bases of kustomize are made from the same objects, and render to the same objects. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { deployFiles } from '../../../src/cli/chart/deploy.ts'
import { AGENT, documentsIn, type Fields, objects } from '../../support/manifests.ts'
import { findProgram, realTest } from '../../support/servers.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const deploy = join(root, 'deploy')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const run = promisify(execFile)

test('deploy/ is what the objects make of it, and nothing else is there', () => {
  const files = deployFiles(version)
  const there = readdirSync(deploy, { recursive: true, encoding: 'utf8' })
    .filter(path => statSync(join(deploy, path)).isFile())
    .map(path => path.replaceAll('\\', '/'))
  assert.deepEqual(there.sort(), Object.keys(files).sort(), 'npm run manifests')
  for (const [path, text] of Object.entries(files)) {
    assert.equal(readFileSync(join(deploy, path), 'utf8'), text, `deploy/${path} is out of date: npm run manifests`)
  }
})

test('no hole is left in any file', () => {
  for (const [path, text] of Object.entries(deployFiles(version))) assert.doesNotMatch(text, /TPL[VCK]/, path)
})

/** With an image of its own, because this one runs from source. */
const IMAGE = ['--image', `ghcr.io/tunnelctl/tunnelctl:${version}`]

const kubectl = { programs: ['kubectl'], packages: 'kubernetes-client' }
for (const [base, args] of [
  ['agent', AGENT],
  ['gateway', ['gateway']],
] as const) {
  realTest(`kustomize makes of its base what manifests ${base} prints`, kubectl, async () => {
    const { stdout } = await run('kubectl', ['kustomize', join(deploy, 'kustomize', base)])
    assert.deepEqual(sorted(documentsIn(stdout)), sorted(await objects(...args, ...IMAGE)))
  })
}

type Case = readonly [values: object, args: readonly string[]]

const gateway = 'wss://gateway.example.com'
const [host, tlsSecret] = ['gateway.example.com', 'gateway-tls']
const GATEWAY = ['gateway', '--host', host]
const edge = (type: string, more: Fields = {}): Fields => ({ host, ingress: { type }, ...more })

const cases: Readonly<Record<string, readonly Case[]>> = {
  'tunnelctl-agent': [
    [{ gateway }, AGENT],
    [{ gateway: 'ws://gateway:8080', replicas: 5 }, ['agent', '--gateway', 'ws://gateway:8080', '--replicas', '5']],
    [{ gateway: 'ws://gateway' }, ['agent', '--gateway', 'ws://gateway']],
    [{ gateway: 'http://gateway' }, ['agent', '--gateway', 'http://gateway']],
    [
      { gateway, allow: ['*/prod:*', 'a/b:1'], deny: ['db/prod:5432'], token: { secret: 'mine' } },
      [...AGENT, '--allow', '*/prod:*,a/b:1', '--deny', 'db/prod:5432', '--token-secret', 'mine'],
    ],
    [
      { gateway, discovery: { mode: 'cluster' }, token: { serviceAccountAudience: 'here' } },
      [...AGENT, '--discovery', 'cluster', '--service-account-token', 'here'],
    ],
    [
      { gateway, discovery: { mode: 'namespaces', namespaces: ['prod', 'staging'] } },
      [...AGENT, '--discovery', 'namespaces', '--namespaces', 'prod,staging'],
    ],
  ],
  'tunnelctl-gateway': [
    [{}, ['gateway']],
    [
      { host, tlsSecret, verifyKeySecret: 'keys' },
      [...GATEWAY, '--tls-secret', tlsSecret, '--verify-key-secret', 'keys'],
    ],
    [edge('nginx', { tlsSecret }), [...GATEWAY, '--ingress', 'nginx', '--tls-secret', tlsSecret]],
    [edge('nginx'), [...GATEWAY, '--ingress', 'nginx']],
    [
      edge('alb', { ingressDomain: 'apps.example.com' }),
      [...GATEWAY, '--ingress', 'alb', '--ingress-domain', 'apps.example.com'],
    ],
    [edge('gke', { tlsSecret }), [...GATEWAY, '--ingress', 'gke', '--tls-secret', tlsSecret]],
    [
      { host, tlsSecret, ingress: { type: 'traefik', class: 'inside' }, ingressDomain: 'apps.example.com' },
      [
        ...[...GATEWAY, '--ingress', 'traefik', '--ingress-class', 'inside', '--tls-secret', tlsSecret],
        ...['--ingress-domain', 'apps.example.com'],
      ],
    ],
    [
      {
        host,
        tlsSecret,
        ingress: { type: 'gateway-api', class: 'eg' },
        oidc: { issuer: 'https://id.example.com', audience: 'tunnelctl', rulesConfigMap: 'rules' },
      },
      [
        ...[...GATEWAY, '--ingress', 'gateway-api', '--ingress-class', 'eg', '--tls-secret', tlsSecret],
        ...[
          '--oidc-issuer',
          'https://id.example.com',
          '--oidc-audience',
          'tunnelctl',
          '--oidc-rules-configmap',
          'rules',
        ],
      ],
    ],
    [
      { host, tlsSecret, clusters: { configMap: 'clusters' } },
      [...GATEWAY, '--tls-secret', tlsSecret, '--clusters-configmap', 'clusters'],
    ],
    [
      { host, tlsSecret, clusters: { configMap: 'clusters', tokenReview: true } },
      [...GATEWAY, '--tls-secret', tlsSecret, '--clusters-configmap', 'clusters', '--token-review'],
    ],
  ],
}

/** Debian does not have it, so it is never demanded. */
const skip = findProgram('helm') === undefined && 'helm is not installed (https://helm.sh/docs/intro/install)'
const helmTest = (name: string, body: () => Promise<void>): void => void test(name, { skip }, body)

const render = async (chart: string, values: object): Promise<Fields[]> => {
  const set = Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`])
  const where = ['--namespace', 'tunnelctl', '--kube-version', '1.33.0']
  const { stdout } = await run('helm', ['template', chart, join(deploy, 'helm', chart), ...where, ...set])
  return documentsIn(stdout)
}

const isTest = (object: Fields): boolean => object.kind === 'Pod'

for (const [chart, each] of Object.entries(cases)) {
  for (const [values, args] of each) {
    helmTest(`helm makes of ${chart} with ${JSON.stringify(values)} what manifests prints`, async () => {
      const found = (await render(chart, values)).filter(object => !isTest(object)).map(withoutHelm)
      // Helm makes the namespace, if it is told to.
      const printed = (await objects(...args, ...IMAGE)).filter(({ kind }) => kind !== 'Namespace')
      assert.deepEqual(sorted(found), sorted(printed))
    })
  }
}

helmTest('a chart takes what Kubernetes has for pods, and further flags', async () => {
  const found = await render('tunnelctl-agent', {
    gateway,
    nodeSelector: { disk: 'fast' },
    tolerations: [{ key: 'only', operator: 'Exists' }],
    podAnnotations: { scrape: 'yes' },
    extraArgs: ['--log-level=debug'],
    extraEnv: [{ name: 'A', value: 'b' }],
    image: { repository: 'r.example.com/t', digest: `sha256:${'0'.repeat(64)}` },
    networkPolicy: { enabled: false },
  })
  assert.ok(!found.some(({ kind }) => kind === 'NetworkPolicy'))
  const text = JSON.stringify(found.find(({ kind }) => kind === 'Deployment'))
  for (const part of [
    '"disk":"fast"',
    '"key":"only"',
    '"scrape":"yes"',
    '"--log-level=debug"',
    '{"name":"A","value":"b"}',
  ])
    assert.ok(text.includes(part), part)
  assert.match(text, /"image":"r\.example\.com\/t@sha256:0{64}"/)
})

helmTest('a chart refuses what it does not know, and an agent without a gateway', async () => {
  const refused = async (chart: string, values: object, said: RegExp) =>
    await assert.rejects(render(chart, values), ({ stderr }: { stderr: string }) => said.test(stderr))
  await refused('tunnelctl-agent', {}, /gateway/)
  await refused('tunnelctl-agent', { gateway, replica: 1 }, /replica/)
  await refused('tunnelctl-agent', { gateway, discovery: { mode: 'all' } }, /mode/)
  await refused('tunnelctl-agent', { gateway, discovery: { mode: 'namespaces' } }, /needs discovery\.namespaces/)
  await refused('tunnelctl-gateway', { ingress: { type: 'nginx' } }, /an edge needs a host/)
  await refused('tunnelctl-gateway', edge('gateway-api'), /needs (ingress\.class|tlsSecret)/)
})

/** Without the labels that are Helm's own, and with fields that are empty left out, as Kubernetes takes them. */
function withoutHelm(object: Fields): Fields {
  const drop = (key: string, value: unknown): unknown =>
    key === 'helm.sh/chart' || key === 'app.kubernetes.io/managed-by' || key === 'imagePullPolicy' ? undefined : value
  return JSON.parse(JSON.stringify(object, drop)) as Fields
}

const sorted = (found: readonly Fields[]): Fields[] =>
  found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0))

const keyOf = ({ kind, metadata }: Fields): string => JSON.stringify([kind, (metadata as Fields).namespace])
