import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../../src/clock.ts'
import { clientAddress } from '../../../src/gateway/ingress/client-address.ts'
import { FrontDoor } from '../../../src/gateway/ingress/front-door.ts'
import { nullLog } from '../../../src/observe/log.ts'
import { clientHello } from '../../support/client-hello.ts'
import { settled } from '../../support/clock.ts'
import { loopback, openDoor, parseAnswer, pem, plainServer, type Running, tlsServer } from '../../support/front-door.ts'
import { v1Header } from '../../support/proxy-header.ts'
import { realTest } from '../../support/servers.ts'
import { readAll, within } from '../../support/sockets.ts'

const get = Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
const hello = await clientHello({ servername: 'a.example' })
const openssl = { programs: ['openssl'], packages: 'openssl' }

const proxied = (t: TestContext, maxPrereads?: number): Promise<Running> =>
  openDoor(t, { http: plainServer(), trustedProxies: loopback, ...(maxPrereads && { maxPrereads }) })

/** Resolves once so many sockets are looked at. */
async function looking(running: Running, count: number): Promise<void> {
  const reached = async () => {
    while (running.door.prereads !== count) await settled()
  }
  await within(reached(), `${count} sockets that are looked at`)
}

/** Resolves once the other side has ended or reset the connection. */
const cutOff = (socket: Socket): Promise<unknown> => readAll(socket).catch(() => {})

test('a client that does not say in ten seconds what it wants is cut off, however much of it came', async t => {
  const running = await proxied(t)
  const silent = await running.dial()
  const slow = await running.dial(v1Header.subarray(0, -1))
  await looking(running, 2)
  running.clock.advanceSync(9_999)
  await settled()
  assert.equal(running.door.prereads, 2)
  running.clock.advanceSync(1)
  await Promise.all([cutOff(silent), cutOff(slow)])
  assert.deepEqual(running.lines, ['debug refused IDLE', 'debug refused IDLE'])
  assert.deepEqual([running.door.prereads, running.clock.timers], [0, 0])
})

test('when too many are looked at, the oldest makes room', async t => {
  const running = await proxied(t, 2)
  const oldest = await running.dial()
  await looking(running, 1)
  const second = await running.dial()
  await looking(running, 2)
  const third = await running.dial()
  await cutOff(oldest)
  assert.deepEqual(running.lines, ['debug refused LIMIT'])
  for (const socket of [second, third]) {
    socket.write(Buffer.concat([v1Header, get]))
    assert.equal(parseAnswer(await readAll(socket)).from, '192.0.2.1')
  }
  assert.equal(running.clock.timers, 0)
})

for (const [what, bytes] of [
  ['without a header', get],
  ['with a malformed header', Buffer.from('PROXY TCP4 x\r\n')],
] as const) {
  test(`a connection of a trusted proxy ${what} is refused, and said so`, async t => {
    const running = await proxied(t)
    await cutOff(await running.dial(bytes))
    assert.deepEqual(running.lines, ['warn refused PROTOCOL'])
    assert.deepEqual([running.door.prereads, running.clock.timers], [0, 0])
  })
}

for (const leave of ['end', 'resetAndDestroy', 'destroy'] as const) {
  test(`a client that leaves by ${leave} while it is looked at leaves nothing behind`, async t => {
    const running = await openDoor(t, { http: plainServer(), passthrough: () => undefined })
    const silent = await running.dial()
    const half = await running.dial(hello.subarray(0, 100))
    await looking(running, 2)
    for (const socket of [silent, half]) socket[leave]()
    await looking(running, 0)
    assert.equal(running.clock.timers, 0)
    assert.deepEqual(running.lines, [])
    await within(running.door.close(), 'end of every connection')
  })
}

realTest('a client that ends in the middle of a TLS handshake is not kept', openssl, async t => {
  for (const options of [{}, { trustedProxies: loopback }]) {
    const running = await openDoor(t, { https: tlsServer(await pem(t)), ...options })
    const socket = await running.dial(Buffer.concat([...('trustedProxies' in options ? [v1Header] : []), hello]))
    socket.once('data', () => socket.end())
    await cutOff(socket)
    await within(running.door.close(), 'end of every connection')
  }
})

test('closing destroys what is looked at, and waits for what is served', async t => {
  const http = plainServer()
  const running = await proxied(t)
  const looked = await running.dial(v1Header.subarray(0, 5))
  await looking(running, 1)
  const served = await openDoor(t, { http })
  const arrived = once(http, 'connection')
  const idle = await served.dial()
  await arrived
  const closing = [running.door.close(), served.door.close()]
  await cutOff(looked)
  await closing[0]
  assert.equal(running.clock.timers, 0)
  let closed = false
  const last = closing[1]?.then(() => {
    closed = true
  })
  await settled()
  assert.equal(closed, false)
  http.closeAllConnections()
  await within(Promise.all([last, cutOff(idle)]), 'end')
})

test('the time limits of the server hold for the sockets that it is given', async t => {
  const http = createServer({ headersTimeout: 50, requestTimeout: 50, connectionsCheckingInterval: 10 })
  const running = await openDoor(t, { http })
  const socket = await running.dial(get.subarray(0, 20))
  assert.match(String(await readAll(socket)), /^HTTP\/1\.1 408 /)
})

test('a passthrough that fails ends that connection, and no other', async t => {
  const passthrough = () => {
    throw new Error('broken')
  }
  const running = await openDoor(t, { http: plainServer(), passthrough })
  await cutOff(await running.dial(hello))
  assert.deepEqual(running.lines, ['warn refused INTERNAL'])
  assert.equal(parseAnswer(await readAll(await running.dial(get))).server, 'http')
})

test('a port that is taken is said so', async t => {
  const { port } = await openDoor(t, { http: plainServer() })
  const door = new FrontDoor({ http: plainServer(), clock: systemClock, log: nullLog })
  await assert.rejects(door.listen({ host: '127.0.0.1', port }), { code: 'PORT_TAKEN' })
})

test('a client of a dual-stack listener has its IPv4 address', () => {
  const socket = new Socket()
  assert.equal(clientAddress(socket), '')
  Object.defineProperty(socket, 'remoteAddress', { value: '::ffff:192.0.2.1' })
  assert.equal(clientAddress(socket), '192.0.2.1')
})
