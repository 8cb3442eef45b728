/** Where the only way out is a proxy: CONNECT, with a password or without, for all that asks the gateway for something. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { serveConnectProxy, serveEdge } from '../support/edge.ts'
import { makeCertificate, realTest } from '../support/servers.ts'
import { dial, echoed, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const echo = await serveEcho(scope)

const portOf = (url: string): number => Number(new URL(url).port)
const serveProxy = (password?: string) => serveConnectProxy(scope, portOf(gateway.url), password)

const url = 'ws://gateway.corp:8080'
const plain = ['--gateway', url, '--allow-plaintext']

test('connect, agent and whatever asks the gateway go through the proxy that the environment names', async () => {
  const { port, asked } = await serveProxy('secret')
  const env = { HTTP_PROXY: `http://me:secret@127.0.0.1:${port}` }
  const agentToken = await site.token({ role: 'agent' })
  const agent = site.run(
    'agent',
    ['agent', ...plain, '--token-file', agentToken, ...serviceArgs({ 'echo/test:7': echo })],
    { env },
  )
  await agent.event('registered')
  const access = [...plain, '--token-file', await site.token({ role: 'connect' })]
  const running = site.run('connect', ['connect', ...access, '-o', 'json', '127.0.0.1:0:echo/test:7'], { env })
  const { local } = await running.event('forwarding')
  const socket = await dial(Number(String(local).split(':').at(-1)))
  await echoed(socket, 'through the proxy')
  socket.destroy()
  const services = site.run('services', ['services', ...access, '-o', 'name'], { env })
  await services.finished()
  assert.equal(services.stdout, 'echo/test:7\n', services.describe())
  const doctor = site.run('doctor', ['doctor', ...access, 'echo/test:7'], { env })
  assert.equal((await doctor.finished()).code, 0, doctor.describe())
  assert.match(doctor.stdout, /✓ proxy +HTTP_PROXY set: the way to the gateway is through 127\.0\.0\.1:\d+\n/)
  assert.ok(!doctor.stdout.includes('secret'))
  assert.ok(asked.length >= 4 && asked.every(each => each === 'gateway.corp:8080'), asked.join())
  const lower = site.run('services', ['services', ...access, '-o', 'name'], { env: { http_proxy: env.HTTP_PROXY } })
  await lower.finished()
  assert.equal(lower.stdout, 'echo/test:7\n')
})

test('a proxy that wants a password, or is none, is told apart from a gateway', async () => {
  const { port } = await serveProxy('secret')
  const access = [...plain, '--token-file', await site.token({ role: 'connect' })]
  const ask = async (env: Record<string, string>) => {
    const running = site.run('services', ['services', ...access], { env })
    return [(await running.finished()).code, running.stderr] as const
  }
  const [code, said] = await ask({ HTTP_PROXY: `http://127.0.0.1:${port}` })
  assert.equal(code, 4, said)
  assert.match(
    said,
    /GATEWAY_UNREACHABLE .*the proxy in between wants a user and a password \(put them into HTTPS_PROXY/,
  )
  const [wrong, why] = await ask({ HTTP_PROXY: 'socks5://127.0.0.1:1' })
  assert.equal(wrong, 2, why)
  assert.match(why, /the proxy in the environment is no http or https URL/)
})

realTest(
  'headers for what stands in front of the gateway do not come to the proxy, and TLS with the gateway goes through it',
  { programs: ['openssl'], packages: 'openssl' },
  async () => {
    const pair = await makeCertificate(scope, site.folder, ['DNS:edge.corp'])
    const edge = await serveEdge(scope, pair, portOf(gateway.url))
    const proxy = await serveConnectProxy(scope, edge.port)
    const access = ['--gateway', 'wss://gateway.corp', '--token-file', await site.token({ role: 'connect' })]
    const trust = ['--ca-file', pair.cert, '--tls-server-name', 'edge.corp', '--header', 'X-Team: payments']
    const running = site.run('doctor', ['doctor', ...access, ...trust, '--agent', 'home'], {
      env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` },
    })
    await running.finished()
    assert.match(running.stdout, /✓ WebSocket/, running.describe())
    assert.ok(proxy.asked.length > 1 && proxy.asked.every(each => each === 'gateway.corp:443'), proxy.asked.join())
    assert.ok(edge.requests.every(({ head }) => head.includes('\r\nx-team: payments')))
    assert.deepEqual([...new Set(edge.requests.map(({ serverName }) => serverName))], ['edge.corp'])
    assert.doesNotMatch(proxy.headers.join('\n'), /payments|x-team|bearer/i)
  },
)

test('NO_PROXY, and this machine, are reached directly', async () => {
  const { port, asked } = await serveProxy()
  const token = await site.token({ role: 'connect' })
  const env = { HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: 'gateway.corp' }
  const own = site.run('services', ['services', '--gateway', gateway.url, '--token-file', token], { env })
  assert.equal((await own.finished()).code, 0, own.describe())
  const left = site.run('services', ['services', ...plain, '--token-file', token], { env })
  assert.equal((await left.finished()).code, 4)
  assert.match(left.stderr, /GATEWAY_UNREACHABLE .*name/)
  assert.deepEqual(asked, [])
})

test('a token does not cross a network in the clear, unless that is asked for', async () => {
  const token = await site.token({ role: 'connect' })
  for (const command of [['connect', 'echo/test:7'], ['services'], ['login'], ['open', 'echo/test:7']]) {
    const running = site.run('connect', [...command, '--gateway', url, '--token-file', token])
    assert.equal((await running.finished()).code, 2, running.describe())
    assert.match(
      running.stderr,
      /gateway\.corp:8080 would get the token in the clear: ws:\/\/ has no TLS \(write wss:\/\/, or give --allow/,
    )
  }
})
