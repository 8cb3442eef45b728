/** What stands still for too long ends, and what breaks between gateway and agent ends nothing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { ask, asking, heard, heardUntil, hostFor, portOf, serveHttp, statusOf } from '../support/ingress.ts'
import { dial, pattern, within } from '../support/sockets.ts'
import { ToxicRelay } from '../support/toxics.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const MIB = 1024 * 1024
const scope = { after }
const { server, port: app } = await serveHttp(scope, async (request, response) => {
  if (request.url === '/still') return void response.writeHead(200).write('begun')
  for (const block of pattern(64 * MIB)) if (!response.write(block)) await once(response, 'drain')
  response.end()
})
const sockets = new WebSocketServer({ noServer: true })
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => {})
  if (request.url === '/refused-begun')
    return void socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nbegun')
  if (request.url === '/refused-long') {
    return void socket.end(`HTTP/1.1 403 Forbidden\r\n\r\n${'long'.repeat(8 * MIB)}`)
  }
  sockets.handleUpgrade(request, socket, head, client => sockets.emit('connection', client))
})
sockets.on('connection', socket => socket.on('message', data => socket.send(data)))
assert.ok((server.address() as AddressInfo).port === app)
const target = 'web/prod:80'
const site = await Site.create(scope)
const ingress = ['--ingress-domain', 'in.test', '--ingress-public', '*/*:*', '--ingress-idle-timeout', '2s']
const gateway = await site.gateway(ingress)
const port = portOf(gateway)
const relay = await ToxicRelay.start(scope, port)
const agent = await site.agent({ url: `ws://127.0.0.1:${relay.port}` }, serviceArgs({ [target]: app }))

// Takes more than ten seconds: it goes on while the others run.
const slow = await dial(port)
slow.write(`GET / HTTP/1.1\r\nHost: ${hostFor(target)}\r\n`)
const tooSlow = heard(slow)

async function open(): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: hostFor(target) } })
  client.on('error', () => {})
  await within(once(client, 'open'), 'open WebSocket')
  return client
}

async function echoed(client: WebSocket, text: string): Promise<void> {
  client.send(text)
  assert.equal(String((await within(once(client, 'message'), 'echo'))[0]), text)
}

/** @param midway called when some of it is here */
async function download(at: number, midway: () => void): Promise<void> {
  const { request, answered } = asking(at, { target })
  request.end()
  const all = Buffer.concat([...pattern(64 * MIB)])
  let total = 0
  for await (const part of (await answered) as AsyncIterable<Buffer>) {
    if (part.compare(all, total, total + part.length) !== 0) assert.fail(`other bytes at ${total}`)
    if (total < 8 * MIB && total + part.length >= 8 * MIB) midway()
    total += part.length
  }
  assert.equal(total, 64 * MIB)
}

test('an upgraded connection with pings stays, a silent one and a transfer that stands still are ended', async () => {
  const [lively, silent] = await Promise.all([open(), open()])
  let pongs = 0
  lively.on('pong', () => pongs++)
  lively.ping()
  const pinging = setInterval(() => lively.ping(), 500)
  const closed = within(once(silent, 'close'), 'end of the silent one') as Promise<[number]>
  const { request, answered } = asking(port, { target, path: '/still' })
  request.end()
  const answer: IncomingMessage = await answered
  const cut = within(once(answer.resume(), 'error'), 'end of the transfer')
  assert.equal((await closed)[0], 1006)
  assert.equal(((await cut) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET')
  assert.equal((await gateway.process.event('request', ({ upgrade }) => upgrade === 'websocket')).code, 'IDLE')
  const now = pongs
  // Longer than the silent one was let stand.
  while (pongs < now + 5) await within(once(lively, 'pong'), 'pong')
  clearInterval(pinging)
  await echoed(lively, 'still here')
  lively.terminate()
})

test('an upgrade that is refused in words that stand still, or that nobody reads, is ended', async () => {
  const refusing = async (path: string, read: boolean) => {
    const client = await dial(port)
    const fields =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
    client.write(`GET ${path} HTTP/1.1\r\nHost: ${hostFor(target)}\r\n${fields}\r\n`)
    if (read) await heardUntil(client, 'begun')
    const { status, code } = await gateway.process.event('request', event => event.path === path)
    assert.deepEqual([status, code], [403, 'IDLE'])
    client.destroy()
  }
  await Promise.all([refusing('/refused-begun', true), refusing('/refused-long', false)])
})

test('a WebSocket and a download go on when the carrier of the agent is cut under them', async () => {
  const client = await open()
  await echoed(client, 'before')
  // A slow machine downloads for longer than a silent one may live.
  const pinging = setInterval(() => client.ping(), 500)
  await download(port, () => relay.reset())
  clearInterval(pinging)
  await echoed(client, 'after')
  client.terminate()
})

test('they go on when the agent stops for a moment, and when nothing arrives for one', async () => {
  const client = await open()
  const pinging = setInterval(() => client.ping(), 500)
  await download(port, () => {
    process.kill(agent.process.pid, 'SIGSTOP')
    setTimeout(() => process.kill(agent.process.pid, 'SIGCONT'), 1_000)
  })
  await download(port, () => {
    relay.blackHole({ newToo: true })
    setTimeout(() => relay.heal(), 1_000)
  })
  clearInterval(pinging)
  await echoed(client, 'after')
  client.terminate()
})

test('a request that comes while the agent is away for a moment waits for it', async () => {
  relay.reset()
  const answer = await ask(port, { target, headers: { host: hostFor(target, 'home') } })
  assert.deepEqual([answer.status, answer.body.length], [200, 64 * MIB])
})

test('a gateway that is asked to end lets a download end, and takes no other', async t => {
  const own = await Site.create(t)
  const ending = await own.gateway(ingress)
  await own.agent(ending, serviceArgs({ [target]: app }))
  await download(portOf(ending), () => process.kill(ending.process.pid, 'SIGTERM'))
  await assert.rejects(ask(portOf(ending), { target }), { code: 'ECONNREFUSED' })
  // It still waits for the agent to leave.
  process.kill(ending.process.pid, 'SIGTERM')
  await ending.process.finished(5_000)
})

test('a client that is too slow with its request is told so', async () => {
  assert.equal(statusOf(await tooSlow), 408)
})
