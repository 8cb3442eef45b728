/** What stands in front of a gateway and wants to know more than it does, or answers in its place. */
import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { listen } from '../../src/net/listen.ts'
import { serveEdge } from '../support/edge.ts'
import type { Process } from '../support/processes.ts'
import { makeCertificate, realTest } from '../support/servers.ts'
import { dial, echoed, serve, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const token = await site.token({ role: 'connect' })
const SECRET = 's3cret-of-the-edge'

async function outcome(running: Process): Promise<[code: number | null, stdout: string, stderr: string]> {
  const { code } = await running.finished()
  return [code, running.stdout, running.stderr]
}

realTest(
  'headers of the user go with everything that any command asks of the gateway, and are shown nowhere',
  { programs: ['openssl'], packages: 'openssl' },
  async t => {
    const pair = await makeCertificate(t, site.folder)
    const gateway = await site.gateway(['--ingress-domain', 'apps.test'])
    const edge = await serveEdge(t, pair, Number(new URL(gateway.url).port))
    const headers = site.file('edge.headers', `# of the edge\nCF-Access-Client-Secret: ${SECRET}\nX-Team: ops\n`)
    const trust = ['--gateway', `wss://localhost:${edge.port}`, '--ca-file', pair.cert]
    const own = [
      '--header',
      'CF-Access-Client-Id: me, myself',
      '--header',
      'X-Team: payments',
      '--header-file',
      headers,
    ]
    const access = [...trust, ...own, '--token-file', token]
    const running: Process[] = []
    const started = (args: readonly string[]) => {
      const one = site.run(args[0] ?? '', args, { env: { TUNNELCTL_CONFIG: join(site.folder, 'config.yaml') } })
      running.push(one)
      return one
    }

    const agentToken = await site.token({ role: 'agent' })
    const services = serviceArgs({ 'echo/test:7': await serveEcho(t) })
    await started(['agent', ...trust, ...own, '--token-file', agentToken, ...services]).event('registered')
    const connect = started(['connect', ...access, '-o', 'json', '127.0.0.1:0:echo/test:7'])
    const { local } = await connect.event('forwarding')
    const socket = await dial(Number(String(local).split(':').at(-1)))
    await echoed(socket, 'through the edge')
    socket.destroy()
    for (const args of [
      ['services', ...access],
      ['agents', ...access],
      ['open', ...access, 'echo/test:7', '--no-browser'],
      ['doctor', ...access, 'echo/test:7'],
      ['login', ...access, '--name', 'edge'],
    ]) {
      const [code, stdout, stderr] = await outcome(started(args))
      assert.equal(code, 0, `${args[0]}: ${stdout}${stderr}`)
    }
    const paths = new Set(edge.requests.map(({ head }) => /^(\S+ \S+)/.exec(head)?.[1]))
    assert.deepEqual([...paths].sort(), [
      'GET /v1/agent',
      'GET /v1/connect',
      'GET /v1/measure',
      'GET /v1/services',
      'POST /v1/measure',
      'POST /v1/open',
    ])
    for (const { head } of edge.requests) {
      const sent = head.split('\r\n')
      assert.ok(sent.includes('cf-access-client-id: me, myself'), head)
      assert.ok(sent.includes(`cf-access-client-secret: ${SECRET}`), head)
      // A flag goes before the file.
      assert.deepEqual(
        sent.filter(line => line.startsWith('x-team')),
        ['x-team: payments'],
      )
    }
    for (const one of running)
      assert.ok(!`${one.stdout}${one.stderr}${one.visibleArguments}`.includes(SECRET), one.name)
  },
)

test('a header that looks like a secret is better in a file, and one that is none is refused', async () => {
  const access = ['services', '--gateway', 'ws://127.0.0.1:9', '--token-file', token]
  const [, , warned] = await outcome(site.run('services', [...access, '--header', 'X-Edge-Token: t0p']))
  assert.match(
    warned,
    /^warning: every process of this machine can read --header X-Edge-Token: put it into a file for --header-file\ntunnelctl: /,
  )
  assert.doesNotMatch(warned, /t0p/)
  for (const [args, env] of [
    [['--header', 'X-Team: payments'], {}],
    [[], { TUNNELCTL_HEADER: 'X-Edge-Token: t0p' }],
  ] as const) {
    assert.match(
      (await outcome(site.run('services', [...access, ...args], { env })))[2],
      /^tunnelctl: GATEWAY_UNREACHABLE/,
    )
  }
  for (const wrong of ['Authorization: t0p', 't0p', 'X: t0p\r\nHost: other']) {
    const [code, , stderr] = await outcome(site.run('services', [...access, '--header', wrong]))
    assert.equal(code, 2, stderr)
    assert.match(stderr, /^tunnelctl: USAGE --header[^\n]+\n$/)
    assert.doesNotMatch(stderr, /t0p/)
  }
  const file = site.file('open.headers', 'X-Edge-Token: t0p\n')
  chmodSync(file, 0o644)
  assert.match(
    (await outcome(site.run('services', [...access, '--header-file', file])))[2],
    /^warning: other users can read the headers in \S+ \(mode 0644\): chmod 600 it\n/,
  )
})

/** Both ways in which the gateway is asked for something: a WebSocket, and a question. */
async function answersOf(listener: RequestListener): Promise<string[]> {
  const server = createServer(listener)
  after(() => server.close())
  const access = ['--gateway', `ws://${await listen(server, { host: '127.0.0.1', port: 0 })}`, '--token-file', token]
  const asking = [
    ['connect', ...access, 'echo/test:7'],
    ['services', ...access],
  ]
  const all = await Promise.all(asking.map(async args => await outcome(site.run(args[0] ?? '', args))))
  return all.map(([code, , stderr]) => {
    assert.equal(code, 4, stderr)
    assert.match(stderr, /^[^\n]+\n$/)
    return stderr
  })
}

const STRANGER =
  /^tunnelctl: NOT_A_GATEWAY \S+ is not a tunnelctl gateway: something else has answered, with status (\d+)(?:, and leads to (.+))? \(a login page .*--header-file.*--gateway\)\n$/

test('a login page is told from a gateway, with where it leads, and nobody goes there', async () => {
  let visits = 0
  const elsewhere = await serve(scope, socket => {
    visits++
    socket.destroy()
  })
  const leading =
    (status: number, location: string): RequestListener =>
    (_, response) =>
      void response.writeHead(status, { location }).end()
  const cases: [answer: RequestListener, status: string, host?: RegExp][] = [
    [leading(302, `http://127.0.0.1:${elsewhere}/login?back=a`), '302', new RegExp(`^"127\\.0\\.0\\.1:${elsewhere}"$`)],
    [leading(307, 'https://me:pass@portal.example/x'), '307', /^"portal\.example"$/],
    [leading(303, '/login'), '303', /^"127\.0\.0\.1:\d+"$/],
    [leading(302, 'https://[nonsense'), '302'],
    [(_, response) => void response.writeHead(302).end(), '302'],
    [(_, response) => void response.end('  <!doctype html><title>Log in</title>'), '200'],
    [(_, response) => void response.setHeader('content-type', 'text/html; charset=utf-8').end('Log in'), '200'],
    [(_, response) => void response.writeHead(511).end('Log in'), '511'],
    // As access proxies refuse whom they do not know.
    [(_, response) => void response.writeHead(403, { 'content-type': 'text/html' }).end('Forbidden'), '403'],
    [
      (_, response) => void response.writeHead(401, { 'content-type': 'text/html' }).end('Invalid IAP credentials'),
      '401',
    ],
  ]
  for (const [answer, status, host] of cases) {
    for (const said of await answersOf(answer)) {
      const [, found, where] = STRANGER.exec(said) ?? []
      assert.equal(found, status, said)
      if (host === undefined) assert.equal(where, undefined, said)
      else assert.match(where ?? '', host)
    }
  }
  assert.equal(visits, 0)
})

test('what a gateway or a load balancer says is not taken for a login page', async () => {
  const page: RequestListener = (_, response) => void response.writeHead(502).end('<html>Bad Gateway</html>')
  for (const said of await answersOf(page)) assert.match(said, /GATEWAY_UNREACHABLE .*status 502 \(/)
  const json: RequestListener = (_, response) => void response.writeHead(404).end('{}')
  for (const said of await answersOf(json)) assert.match(said, /NOT_A_GATEWAY .*it answered with status 404 \(/)
})
