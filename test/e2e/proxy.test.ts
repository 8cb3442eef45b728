/** `connect --socks5`: SOCKS5 and HTTP CONNECT to every service that the token allows, with curl as the client. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo, connect as dialTcp } from 'node:net'
import { after, test } from 'node:test'
import { type JsonLine, Process } from '../support/processes.ts'
import { realTest } from '../support/servers.ts'
import { dial, freePort, readAll, serveByHand, serveEcho, within } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const web = createServer((request, response) => {
  response.end(`${request.method} ${request.url} at ${request.headers.host}`)
})
await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve))
after(() => web.close())
const hand = await serveByHand(scope)
const gateway = await site.gateway()
await site.agent(
  gateway,
  serviceArgs({
    'web/prod:80': (web.address() as AddressInfo).port,
    'hand/prod:1': hand.port,
    'dead/prod:9': await freePort(),
    'secret/other:80': await serveEcho(scope),
  }),
)
const token = await site.token({ role: 'connect', allow: ['*/prod:*'] })
const running = site.run('connect', [
  ...['connect', '--gateway', gateway.url, '--token-file', token, '-o', 'json', '-n', 'prod'],
  ...['--socks5', '127.0.0.1:0'],
])
const { local } = await running.event('forwarding', event => event.target === 'socks5')
const port = Number(String(local).split(':').at(-1))

/** What the far side says to these bytes, until it ends. */
async function said(bytes: Buffer | string): Promise<Buffer> {
  const socket = await dial(port)
  socket.write(bytes)
  return await within(readAll(socket), 'an answer')
}

const curl = { programs: ['curl'], packages: 'curl' }

realTest('curl reaches a service by each form of its name, through SOCKS5 and through CONNECT', curl, async () => {
  for (const name of ['web.prod', 'web.prod.svc', 'web.prod.svc.cluster.local', 'web', 'WEB.prod']) {
    for (const proxy of [
      ['--socks5-hostname', `127.0.0.1:${port}`],
      ['--proxytunnel', '--proxy', `http://127.0.0.1:${port}`],
    ]) {
      const client = new Process('curl', 'curl', ['-sS', ...proxy, `http://${name}/path`])
      const { code } = await client.finished()
      assert.equal(code, 0, client.describe())
      assert.match(client.stdout, /^GET \/path at web/i)
    }
  }
})

realTest('curl is told what the matter is', curl, async () => {
  for (const [url, socks, http] of [
    ['http://secret.other/', /\(2\)|not allowed/i, /403/],
    ['http://dead.prod:9/', /\(5\)|refused/i, /502/],
    ['http://www.example.com/', /\(4\)|unreachable/i, /400/],
  ] as const) {
    const one = new Process('curl', 'curl', ['-sS', '--socks5-hostname', `127.0.0.1:${port}`, url])
    assert.equal((await one.finished()).code, 97, one.describe())
    assert.match(one.stderr, socks)
    const other = new Process('curl', 'curl', ['-sS', '--proxytunnel', '--proxy', `http://127.0.0.1:${port}`, url])
    assert.equal((await other.finished()).code, 56, other.describe())
    assert.match(other.stderr, http)
  }
})

test('bytes behind the request reach the service, the answer comes before its bytes, and both ends end in order', async () => {
  const socket = await dial(port)
  socket.write('CONNECT hand.prod:1 HTTP/1.1\r\n\r\nearly')
  const served = await hand.accepted()
  served.end('hello')
  socket.end(' and late')
  assert.equal(String(await readAll(served)), 'early and late')
  assert.equal(String(await readAll(socket)), 'HTTP/1.1 200 Connection Established\r\n\r\nhello')
})

test('addresses are refused, with a line that says what to do', async () => {
  const answer = await said(Buffer.from([5, 1, 0, 5, 1, 0, 1, 10, 0, 0, 1, 0, 80]))
  assert.deepEqual([...answer], [5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0])
  await running.event('error', (event: JsonLine) => /let the proxy resolve names/.test(String(event.message)))
})

test('garbage, and requests without an end, cost a connection and no more', async () => {
  assert.match(String(await said('\x16\x03\x01garbage\r\n\r\n')), /^HTTP\/1\.1 400 /)
  assert.match(String(await said('GET http://web.prod/ HTTP/1.1\r\n\r\n')), /^HTTP\/1\.1 405 /)
  const endless = dialTcp({ port, host: '127.0.0.1' })
  endless.on('error', () => {})
  endless.write('A'.repeat(100_000))
  await within(new Promise(resolve => endless.once('close', resolve)), 'the end of an endless request')
  assert.match(
    String(await said('CONNECT web.prod:80 HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n')),
    /200 Connection[\s\S]*GET \/ at/,
  )
})

test('a client that leaves while the service is dialled leaves nothing behind', async () => {
  const socket = await dial(port)
  socket.write('CONNECT hand.prod:1 HTTP/1.1\r\n\r\n')
  socket.destroy()
  // The next stream is served, and no other is open then.
  assert.match(String(await said('CONNECT web.prod:80 HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n')), /GET \/ at/)
})
