import assert from 'node:assert/strict'
import { once } from 'node:events'
import { BlockList, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { clientHello, protocolsOf } from '../../support/client-hello.ts'
import { settled } from '../../support/clock.ts'
import {
  type Answer,
  loopback,
  openDoor,
  parseAnswer,
  pem,
  plainServer,
  type Running,
  tlsOver,
  tlsServer,
} from '../../support/front-door.ts'
import { v1Header, v2Header } from '../../support/proxy-header.ts'
import { drip, dripping } from '../../support/segments.ts'
import { realTest } from '../../support/servers.ts'
import { readAll, within } from '../../support/sockets.ts'

const openssl = { programs: ['openssl'], packages: 'openssl' }
const none = Buffer.alloc(0)
const body = Buffer.alloc(200_000, 'x')
const post = Buffer.concat([
  Buffer.from(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n`),
  body,
])
const get = Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
const headers: [what: string, header: Buffer, from: string][] = [
  ['no PROXY header', none, '127.0.0.1'],
  ['PROXY v1', v1Header, '192.0.2.1'],
  ['PROXY v2', v2Header, '2001:db8::1'],
]

const proxies = (header: Buffer) => (header === none ? {} : { trustedProxies: loopback })
const answered = (server: 'http' | 'https', from: string, bytes = 0): Answer => ({
  server,
  from,
  host: 'a.example',
  bytes,
})

for (const [what, header, from] of headers) {
  test(`HTTP with ${what} is served, whatever its segments are`, async t => {
    const { dial, clock, door } = await openDoor(t, { http: plainServer(), ...proxies(header) })
    for (const size of [1, 7, 1_000]) {
      const socket = await dial()
      await drip(socket, Buffer.concat([header, get]), size)
      assert.deepEqual(parseAnswer(await readAll(socket)), answered('http', from), `segments of ${size}`)
      socket.destroy()
    }
    const socket = await dial(Buffer.concat([header, post]))
    assert.deepEqual(parseAnswer(await readAll(socket)), answered('http', from, body.length))
    assert.deepEqual([door.prereads, clock.timers], [0, 0])
  })

  test(`a client that ends its half behind the request gets the answer, with ${what}`, async t => {
    const { dial } = await openDoor(t, { http: plainServer(), ...proxies(header) })
    const socket = await dial()
    socket.end(Buffer.concat([header, get]))
    assert.deepEqual(parseAnswer(await readAll(socket)), answered('http', from))
  })

  for (const passthrough of [undefined, () => undefined]) {
    const looked = passthrough === undefined ? 'not looked at' : 'looked at'
    realTest(
      `HTTPS with ${what} and a ClientHello that is ${looked} is served, whatever its segments are`,
      openssl,
      async t => {
        const https = tlsServer(await pem(t))
        const { dial, door, clock } = await openDoor(t, {
          https,
          ...proxies(header),
          ...(passthrough && { passthrough }),
        })
        for (const [size, ALPNProtocols] of [
          [1, undefined],
          [100, protocolsOf(17 * 1024)],
          [100_000, protocolsOf(17 * 1024)],
        ] as const) {
          const socket = await dial()
          await drip(socket, header, size)
          const client = await tlsOver(dripping(socket, size, 18_000), {
            servername: 'a.example',
            ...(ALPNProtocols && { ALPNProtocols }),
          })
          client.write(post)
          assert.deepEqual(parseAnswer(await readAll(client)), answered('https', from, body.length))
        }
        assert.deepEqual([door.prereads, clock.timers], [0, 0])
      },
    )
  }

  realTest(`WebSockets with ${what} are upgraded, with and without TLS`, openssl, async t => {
    const plain = await openDoor(t, { http: plainServer(), ...proxies(header) })
    const secure = await openDoor(t, {
      https: tlsServer(await pem(t)),
      passthrough: () => undefined,
      ...proxies(header),
    })
    const raw = await plain.dial(header)
    assert.equal(await echoOf(new WebSocket('ws://a.example/', { createConnection: () => raw })), `${from}: hello`)
    const client = await tlsOver(await secure.dial(header), { servername: 'a.example' })
    assert.equal(await echoOf(new WebSocket('ws://a.example/', { createConnection: () => client })), `${from}: hello`)
  })

  test(`a message that follows an upgrade at once is not lost, with ${what}`, async t => {
    const { dial } = await openDoor(t, { http: plainServer(), ...proxies(header) })
    const upgrade = [
      'GET / HTTP/1.1',
      'Host: a.example',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    ].join('\r\n')
    // A text of two letters behind a mask of zeros.
    const message = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
    const socket = await dial(Buffer.concat([header, Buffer.from(upgrade), message]))
    assert.ok(await saidUntil(socket, `${from}: hi`))
  })
}

async function echoOf(socket: WebSocket): Promise<string> {
  await within(once(socket, 'open'), 'upgrade')
  socket.send('hello')
  const [data] = (await within(once(socket, 'message'), 'echo')) as [Buffer]
  socket.terminate()
  return data.toString()
}

function saidUntil(socket: Socket, words: string): Promise<boolean> {
  let text = ''
  const said = new Promise<boolean>(resolve => {
    socket.on('data', chunk => {
      text += String(chunk)
      if (text.includes(words)) resolve(true)
    })
  })
  return within(said, JSON.stringify(words))
}

test('nothing is awaited of a client when nothing depends on it', async t => {
  const http = plainServer()
  const { dial, door, clock } = await openDoor(t, { http })
  const arrived = once(http, 'connection')
  await dial()
  await arrived
  assert.deepEqual([door.prereads, clock.timers], [0, 0])
})

test('a header of a peer that is not trusted is garbage', async t => {
  const { dial } = await openDoor(t, { http: plainServer(), trustedProxies: new BlockList() })
  assert.equal((await readAll(await dial(Buffer.concat([v1Header, get]))).catch(() => none)).length, 0)
  const answer = parseAnswer(await readAll(await dial(get)))
  assert.deepEqual(answer, answered('http', '127.0.0.1'))
})

test('a trusted proxy that speaks for itself is its own client', async t => {
  const { dial } = await openDoor(t, { http: plainServer(), trustedProxies: loopback })
  const socket = await dial(Buffer.concat([Buffer.from('PROXY UNKNOWN\r\n'), get]))
  assert.deepEqual(parseAnswer(await readAll(socket)), answered('http', '127.0.0.1'))
})

realTest(
  'with both servers, a connection that begins as TLS is for one and every other for the other',
  openssl,
  async t => {
    const { dial } = await openDoor(t, { http: plainServer(), https: tlsServer(await pem(t)) })
    const plain = await dial()
    await drip(plain, get, 1)
    assert.deepEqual(parseAnswer(await readAll(plain)), answered('http', '127.0.0.1'))
    const secure = await tlsOver(dripping(await dial(), 1, 600), {})
    secure.write(get)
    assert.deepEqual(parseAnswer(await readAll(secure)), answered('https', '127.0.0.1'))
  },
)

realTest('two doors share their servers, and clients keep their addresses', openssl, async t => {
  const servers = { http: plainServer(), https: tlsServer(await pem(t)), trustedProxies: loopback }
  const doors: Running[] = [await openDoor(t, servers), await openDoor(t, servers)]
  const told = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']
  const ask = async (from: string, index: number) => {
    const header = Buffer.from(`PROXY TCP4 ${from} 198.51.100.2 1 443\r\n`)
    const client = await tlsOver(await (doors[index % 2] ?? assert.fail()).dial(header), {})
    client.write(get)
    return parseAnswer(await readAll(client)).from
  }
  assert.deepEqual(await Promise.all(told.map(ask)), told)
})

async function pass(t: TestContext, names: string[]): Promise<Running> {
  const upstream = await openDoor(t, { https: tlsServer(await pem(t)) })
  return await openDoor(t, {
    http: plainServer(),
    trustedProxies: loopback,
    passthrough: name => {
      names.push(name)
      if (name !== 'through.example') return undefined
      return socket =>
        void upstream.dial().then(to => {
          socket.pipe(to).pipe(socket)
          to.once('close', () => socket.destroy())
        })
    },
  })
}

realTest(
  'a TLS connection to a host that is passed through is not touched, whatever its segments are',
  openssl,
  async t => {
    const names: string[] = []
    const { dial } = await pass(t, names)
    for (const [size, bytes] of [
      [1, 0],
      [100, 17 * 1024],
      [100_000, 17 * 1024],
    ] as const) {
      const options = { servername: 'Through.example', ALPNProtocols: protocolsOf(bytes) }
      const client = await tlsOver(dripping(await dial(v2Header), size, 18_000), options)
      client.write(post)
      // It was not the door's server, whose clients come from where the proxy says.
      assert.deepEqual(parseAnswer(await readAll(client)), answered('https', '127.0.0.1', body.length))
    }
    assert.deepEqual(names, ['through.example', 'through.example', 'through.example'])
  },
)

test('a connection that is passed through keeps its halves, and all that was sent before its end', async t => {
  const sent = Buffer.concat([await clientHello({ servername: 'through.example' }), body])
  for (const header of [none, v1Header]) {
    const take = async (socket: Socket) => {
      assert.equal(socket.readableFlowing, null, 'nobody has read from it')
      const received = await readAll(socket)
      await settled()
      socket.end(received)
    }
    const passthrough = () => (socket: Socket) => void take(socket)
    const { dial } = await openDoor(t, { http: plainServer(), ...proxies(header), passthrough })
    const socket = await dial()
    socket.end(Buffer.concat([header, sent]))
    assert.ok((await readAll(socket)).equals(sent))
  }
})
