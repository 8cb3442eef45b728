/** WebSockets through the ingress, between two ends that know nothing of it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import { hostFor, startIngress } from '../support/ingress.ts'
import { eventually } from '../support/processes.ts'
import { within } from '../support/sockets.ts'

const MIB = 1024 * 1024
const scope = { after }
const target = 'chat/prod:80'
const server = new WebSocketServer({
  ...{ port: 0, host: '127.0.0.1', backlog: 4_096, maxPayload: 256 * MIB },
  perMessageDeflate: { threshold: 0 },
  handleProtocols: protocols => [...protocols].at(-1) ?? false,
})
await once(server, 'listening')
after(() => {
  for (const each of server.clients) each.terminate()
  server.close()
})
const echo = (socket: WebSocket): void => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}
const { port, gateway, agent, logged } = await startIngress(scope, {
  services: { [target]: (server.address() as AddressInfo).port },
})

async function open(path = '/', deflate = false, serve = echo): Promise<{ client: WebSocket; service: WebSocket }> {
  const accepted = once(server, 'connection') as Promise<[WebSocket]>
  server.once('connection', socket => {
    socket.on('error', () => {})
    serve(socket)
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
    headers: { host: hostFor(target) },
    perMessageDeflate: deflate,
    maxPayload: 256 * MIB,
  })
  client.on('error', () => {})
  await within(once(client, 'open'), 'open WebSocket')
  return { client, service: (await accepted)[0] }
}

async function nextMessage(socket: WebSocket): Promise<{ data: Buffer; isBinary: boolean }> {
  const [data, isBinary] = (await within(once(socket, 'message'), 'message')) as [RawData, boolean]
  return { data: data as Buffer, isBinary }
}

for (const deflate of [false, true]) {
  const how = deflate ? 'with compression' : 'without compression'
  test(`text, bytes and fragments are echoed as they are, ${how}`, async () => {
    const { client, service } = await open('/', deflate)
    assert.equal(client.extensions, deflate ? 'permessage-deflate' : '')
    assert.equal(service.extensions, client.extensions)
    const bytes = randomBytes(70_000)
    for (const message of ['', 'text with ü and 🙂', 'x'.repeat(66_000), bytes, Buffer.alloc(0)]) {
      client.send(message)
      const { data, isBinary } = await nextMessage(client)
      assert.equal(isBinary, typeof message !== 'string')
      assert.ok(data.equals(Buffer.from(message)))
    }
    for (const part of ['one ', 'two ', 'three']) client.send(part, { fin: part === 'three' })
    assert.equal((await nextMessage(client)).data.toString(), 'one two three')
    client.ping('are you there')
    assert.equal(String((await within(once(client, 'pong'), 'pong'))[0]), 'are you there')
    client.close()
    await within(once(client, 'close'), 'close')
  })

  const size = deflate ? 8 : 64
  test(`a message of ${size} MiB passes both ways, ${how}`, async () => {
    const { client } = await open('/', deflate)
    const large = Buffer.alloc(size * MIB, randomBytes(1_000_003))
    client.send(large)
    assert.ok((await nextMessage(client)).data.equals(large))
    client.terminate()
  })
}

test('subprotocols are for the two ends to agree on', async () => {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, ['a', 'b'], { headers: { host: hostFor(target) } })
  await within(once(client, 'open'), 'open WebSocket')
  assert.equal(client.protocol, 'b')
  client.terminate()
})

test('whoever closes, the other side hears the code and the reason, and nothing is left', async () => {
  for (const [code, reason] of [
    [1000, 'done'],
    [1001, ''],
    [3456, 'reason ü'],
  ] as const) {
    for (const by of ['client', 'service'] as const) {
      const both = await open('/')
      const heard = by === 'client' ? both.service : both.client
      const closed = within(once(heard, 'close'), 'close') as Promise<[number, Buffer]>
      both[by].close(code, reason)
      const [gotCode, gotReason] = await closed
      assert.deepEqual([gotCode, gotReason.toString()], [code, reason])
    }
  }
})

test('whoever vanishes, the other side sees it, with no close frame', async () => {
  for (const by of ['client', 'service'] as const) {
    const both = await open(`/vanish-${by}`)
    const heard = by === 'client' ? both.service : both.client
    const closed = within(once(heard, 'close'), 'close') as Promise<[number]>
    both[by].terminate()
    assert.equal((await closed)[0], 1006)
    await logged(({ path }) => path === `/vanish-${by}`)
  }
})

test('the log has one line for a WebSocket, when it is over, with the bytes of both ways', async () => {
  const { client } = await open('/logged?token=secret')
  client.send('x'.repeat(1_000))
  await nextMessage(client)
  client.close()
  const { path, status, upgrade, bytesIn, bytesOut } = await logged(line => line.path === '/logged')
  assert.deepEqual([path, status, upgrade], ['/logged', 101, 'websocket'])
  assert.equal(Number(bytesIn) > 1_000 && Number(bytesIn) < 1_100, true, String(bytesIn))
  assert.equal(Number(bytesOut) > 1_000 && Number(bytesOut) < 1_100, true, String(bytesOut))
  assert.doesNotMatch(gateway.process.stderr, /token=secret/)
})

test('a thousand at once are each their own', async () => {
  const handles = [gateway, agent].map(({ process }) => process.handles ?? 0)
  server.on('connection', echo)
  const talkOne = async (n: number): Promise<void> => {
    const headers = { host: hostFor(target) }
    const client = new WebSocket(`ws://127.0.0.1:${port}/${n}`, { headers, perMessageDeflate: false })
    await within(once(client, 'open'), `WebSocket ${n}`)
    for (let i = 0; i < 10; i++) {
      client.send(`${n} says ${i}`)
      assert.equal((await nextMessage(client)).data.toString(), `${n} says ${i}`)
    }
    opened++
    await everybody
    client.terminate()
  }
  let opened = 0
  let release = () => {}
  const everybody = new Promise<void>(resolve => {
    release = resolve
  })
  const all = Array.from({ length: 1_000 }, (_, n) => talkOne(n))
  await Promise.race([
    eventually(
      () => opened === 1_000,
      () => `${opened} are through`,
    ),
    Promise.all(all),
  ])
  release()
  await Promise.all(all)
  for (const [i, { process }] of [gateway, agent].entries()) {
    await eventually(
      () => (process.handles ?? 0) <= (handles[i] ?? 0) + 5,
      () => `${process.handles} handles are left`,
    )
  }
  assert.doesNotMatch(gateway.process.stderr, /Error:|at .*\.js:/)
})
