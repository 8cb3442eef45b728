/** The tap between a client and a server of `ws`, on a pair of sockets piped as the gateway pipes them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type PerMessageDeflateOptions, WebSocket, WebSocketServer } from 'ws'
import type { FrameTap } from '../../../src/gateway/ingress/frame-tap.ts'
import { UpgradeTap } from '../../../src/gateway/ingress/upgrade-tap.ts'
import { brief } from './frames.ts'

interface Pair {
  readonly client: WebSocket
  readonly service: WebSocket
  readonly tap: UpgradeTap
  readonly log: readonly string[]
  /** Closes from the client's side, and waits until both have. */
  closed(code: number, reason: string): Promise<void>
}

const portOf = (server: Server | WebSocketServer): number => (server.address() as AddressInfo).port

/** Pipes, and shows the tap what comes after the empty line that ends the handshake. */
function tee(from: Socket, to: Socket, tap: FrameTap): void {
  let handshake: Buffer | undefined = Buffer.alloc(0)
  from.on('data', (chunk: Buffer) => {
    if (handshake === undefined) return tap.read(chunk)
    handshake = Buffer.concat([handshake, chunk])
    const end = handshake.indexOf('\r\n\r\n')
    if (end < 0) return
    tap.read(handshake.subarray(end + 4))
    handshake = undefined
  })
  from.pipe(to)
  from.on('error', () => to.destroy())
}

async function pairOf(t: TestContext, perMessageDeflate: PerMessageDeflateOptions | false = false): Promise<Pair> {
  const log: string[] = []
  const tap = new UpgradeTap({
    now: () => performance.now(),
    log: (frame, from) => log.push(`${from} ${brief(frame)}`),
  })
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate })
  await once(sockets, 'listening')
  const proxy = createServer(near => {
    const far = connect(portOf(sockets), '127.0.0.1')
    tee(near, far, tap.client)
    tee(far, near, tap.service)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const accepted = once(sockets, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${portOf(proxy)}`, { perMessageDeflate })
  await once(client, 'open')
  const [service] = (await accepted) as [WebSocket]
  t.after(() => {
    client.terminate()
    sockets.close()
    proxy.close()
  })
  const closed = async (code: number, reason: string): Promise<void> => {
    const ends = [once(client, 'close'), once(service, 'close')]
    client.close(code, reason)
    await Promise.all(ends)
  }
  return { client, service, tap, log, closed }
}

const closes = (code: number, reason: string): string[] => [
  `client CLOSE ${code} ${reason}`,
  `service CLOSE ${code} ${reason}`,
]

test('text, binary, fragments and a mebibyte of ws are told as they were sent, and arrive as they were sent', async t => {
  const { client, service, tap, log, closed } = await pairOf(t)
  const big = Buffer.alloc(1_048_576, 0x8a)
  const received: unknown[] = []
  service.on('message', (data: Buffer, isBinary) => {
    received.push(isBinary ? data : String(data))
    service.send(data, { binary: isBinary })
  })
  const sent = ['text', Buffer.from([1, 2, 3]), 'one two', big]
  const echoed = new Promise<void>(resolve => {
    let count = 0
    client.on('message', () => ++count === sent.length && resolve())
  })
  client.send('text')
  client.send(Buffer.from([1, 2, 3]))
  client.send('one ', { fin: false })
  client.send('two')
  client.send(big)
  await echoed
  await closed(1000, 'bye')
  assert.deepEqual(received, sent)
  const [from, to] = ['client', 'service'].map(side => log.filter(line => line.startsWith(side)))
  assert.deepEqual(from, [
    'client TEXT 4',
    'client BINARY 3',
    'client TEXT+ 4',
    'client CONTINUATION 3',
    'client BINARY 1048576',
    'client CLOSE 1000 bye',
  ])
  assert.deepEqual(to, [
    'service TEXT 4',
    'service BINARY 3',
    'service TEXT 7',
    'service BINARY 1048576',
    'service CLOSE 1000 bye',
  ])
  const summary = tap.summary()
  const counts = { messages: 4, text: 2, binary: 2, bytes: 14 + big.length }
  const rest = { ...counts, close: { code: 1000, reason: 'bye' }, roundTrips: undefined, broken: undefined }
  assert.deepEqual(summary.client, { frames: 6, ...rest })
  assert.deepEqual(summary.service, { frames: 5, ...rest })
  assert.equal(summary.closedBy, 'client')
})

test('compressed messages of ws pass with RSV1, counted as long as they are on the wire', async t => {
  const { client, service, tap, log, closed } = await pairOf(t, { threshold: 0 })
  const text = 'again and again '.repeat(10_000)
  const arrived = once(service, 'message')
  client.send(text)
  assert.equal(String((await arrived)[0]), text)
  await closed(1000, 'bye')
  assert.match(log[0] ?? '', /^client TEXT\* \d+$/)
  assert.deepEqual(log.slice(1), closes(1000, 'bye'))
  const { text: messages, bytes, broken } = tap.summary().client
  assert.deepEqual([messages, broken], [1, undefined])
  assert.ok(bytes > 0 && bytes < text.length / 10, `${bytes} bytes`)
})

test('pings of either side of ws are answered by the other, and measured', async t => {
  const { client, service, tap, log, closed } = await pairOf(t)
  const started = performance.now()
  const pongs = [once(client, 'pong'), once(service, 'pong')]
  client.ping('from the client')
  service.ping(Buffer.alloc(125, 0xfe))
  await Promise.all(pongs)
  const elapsed = performance.now() - started
  await closed(4321, 'enough, grün')
  assert.ok(log.includes('service PONG from the client'))
  assert.ok(log.includes(`client PONG ${'\xfe'.repeat(125)}`))
  assert.deepEqual(log.slice(-2), closes(4321, 'enough, grün'))
  for (const { roundTrips, broken } of [tap.summary().client, tap.summary().service]) {
    assert.deepEqual([roundTrips?.count, broken], [1, undefined])
    assert.ok((roundTrips?.lastMs ?? -1) >= 0 && (roundTrips?.lastMs ?? Infinity) <= elapsed)
  }
})
