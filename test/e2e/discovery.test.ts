/** Services that the cluster has come and go where developers look for them. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { after, test } from 'node:test'
import { KubeApi } from '../support/kube-api.ts'
import { eventually } from '../support/processes.ts'
import { serve } from '../support/sockets.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const kube = await KubeApi.start(scope)
kube.service('prod', 'db', [{ port: 5432, name: 'postgres' }])
kube.slice('prod', 'db', [true])
kube.service('prod', 'broken', [{ port: 80 }])
const gateway = await site.gateway()
const args = ['--discovery', 'cluster', '--kubernetes-api', kube.url, '--service', 'vm/legacy:22=127.0.0.1:1']
await site.agent(gateway, args)
const tokenFile = await site.token({ role: 'connect', allow: ['*/*:*', 'pod/*/prod:*', 'deploy/web/*:*'] })
/** An address of this machine that a pod could have: a loopback is none. */
const own = Object.values(networkInterfaces())
  .flat()
  .find(each => each?.internal === false && each.family === 'IPv4')?.address
const access = ['--gateway', gateway.url, '--token-file', tokenFile]

async function listed(lines: readonly string[]): Promise<void> {
  let shown = ''
  await eventually(
    async () => {
      const running = site.run('services', ['services', ...access])
      await running.finished()
      shown = running.stdout
      return shown === `${lines.join('\n')}\n`
    },
    () => shown,
  )
}

const head = 'NAMESPACE   SERVICE   PORTS            AGENT'
const vm = 'legacy      vm        22               home'
const broken = 'prod        broken    80               home    no ready endpoints'
const db = 'prod        db        5432(postgres)   home'

test('what the agent lists and what the cluster has are told together, and each change is', async () => {
  await listed([head, vm, broken, db])
  kube.delete('services', 'prod', 'broken')
  await listed([head, vm, db])
  kube.slice('prod', 'db', [false])
  await listed([head, vm, `${db}    no ready endpoints`])
})

test('a service without a ready endpoint is said to have none, and not dialled', async () => {
  const running = site.run('connect', ['connect', ...access, '--stdio', 'db/prod:5432'])
  assert.equal((await running.finished()).code, 4)
  assert.match(running.stderr, /UNREACHABLE cannot reach db\/prod:5432: the service has no ready endpoints/)
})

test('a pod and a deployment are reached at their endpoints, and follow them', {
  skip: own === undefined && 'this machine has no address but loopback',
}, async () => {
  const pod = (name: string, ready = true) => ({
    ...{ addresses: [own], conditions: { ready } },
    targetRef: { kind: 'Pod', name },
  })
  const service = (name: string) => serve(scope, socket => void socket.end(name), own)
  const [first, second] = [await service('first'), await service('second')]
  const ask = async (target: string) => {
    const running = site.run('connect', ['connect', ...access, '--stdio', target])
    const { code } = await running.finished()
    return code === 0 ? running.stdout : running.stderr
  }
  kube.service('prod', 'web', [{ port: 80, name: 'http' }])
  kube.endpoints('prod', 'web', [pod('web-6c8b-zzzzz')], 'web-1', [{ name: 'http', port: first }])
  await listed([head, vm, `${db}    no ready endpoints`, 'prod        web       80(http)         home'])
  assert.equal(await ask('pod/web-6c8b-zzzzz/prod:http'), 'first')
  assert.equal(await ask(`deploy/web/prod:${first}`), 'first')
  kube.endpoints('prod', 'web', [pod('web-7d9f-bbbbb')], 'web-1', [{ name: 'http', port: second }])
  kube.service('prod', 'web', [{ port: 81, name: 'http' }])
  await listed([head, vm, `${db}    no ready endpoints`, 'prod        web       81(http)         home'])
  assert.equal(await ask('deploy/web/prod:http'), 'second')
  assert.match(await ask('pod/web-6c8b-zzzzz/prod:http'), /UNREACHABLE .*: no service has such a pod behind it/)
  assert.match(await ask('deploy/db/prod:1'), /DENIED the token does not allow deploy\/db\/prod:1/)
  kube.delete('services', 'prod', 'web')
})

test('while the API is away the last list is kept, and is said to be old', async () => {
  const shown = async () => {
    const running = site.run('services', ['services', ...access])
    await running.finished()
    return { out: running.stdout, err: running.stderr }
  }
  const { out } = await shown()
  for (const resource of ['services', 'endpointslices']) kube.refusals.set(resource, { status: 503, message: 'away' })
  kube.endWatches()
  const since =
    /^agent home does not hear from its cluster since 20\d\d-\d\d-\d\dT[\d:]+Z: its services are shown as they were then\n$/
  await eventually(
    async () => since.test((await shown()).err),
    () => 'it is not said',
  )
  assert.equal((await shown()).out, out)
  kube.refusals.clear()
  await eventually(
    async () => (await shown()).err === '',
    () => 'it is still said',
  )
})

test('an agent that comes to another gateway tells all of it there', async () => {
  const other = await site.gateway()
  await site.agent(other, args)
  const running = site.run('services', ['services', '--gateway', other.url, '--token-file', tokenFile, '-o', 'name'])
  await running.finished()
  assert.deepEqual(new Set(running.stdout.trimEnd().split('\n')), new Set(['vm/legacy:22', 'db/prod:5432']))
})

test('outside of a cluster it says what to give, and wrong scopes are usage errors', async () => {
  const agent = await site.token({ role: 'agent' })
  const start = async (...more: string[]) => {
    const running = site.run('agent', ['agent', '--gateway', gateway.url, '--token-file', agent, ...more])
    assert.equal((await running.finished()).code, 2, running.describe())
    return running.stderr
  }
  assert.match(await start('--discovery', 'cluster'), /this is no pod of one \(give --kubernetes-api/)
  assert.match(await start('--discovery', 'namespaces'), /go together/)
  assert.match(
    await start('--discovery', 'namespaces', '--discovery-namespaces', 'A_B'),
    /"A_B" is not the name of a namespace/,
  )
})
