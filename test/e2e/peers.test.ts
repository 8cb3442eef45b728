/** Peers that break the rules, spoken by hand: the right thing ends, with the right code, and nothing else does. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { listen } from '../../src/net/listen.ts'
import { BatchBuilder } from '../../src/wire/batch.ts'
import { encodeOpen, encodeReset, FrameType, walkFrames } from '../../src/wire/frame.ts'
import {
  decodeAttachment,
  decodeDetach,
  encodeAttachment,
  encodeDetach,
  encodeJson,
  Kind,
  kindOf,
  routeOf,
  SUBPROTOCOL,
  writeHeader,
} from '../../src/wire/message.ts'
import { dial, echoed, outcomeOf, serveEcho, within } from '../support/sockets.ts'
import { startTunnel } from '../support/tunnel.ts'

const scope = { after }
const tunnel = await startTunnel(scope, { services: { 'echo/test:7': await serveEcho(scope) } })
const { site, gateway } = tunnel
const bystander: Socket = await dial(tunnel.port('echo/test:7'))
await echoed(bystander, 'before it all')

/** One WebSocket, and its messages in order. */
class Peer {
  readonly socket: WebSocket
  readonly ended: Promise<{ code: number; reason: string }>
  readonly #messages: Buffer[] = []
  #wake: () => void = () => {}

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('message', data => {
      this.#messages.push(data as Buffer)
      this.#wake()
    })
    this.ended = new Promise(resolve => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
  }

  static async open(role: 'connect' | 'agent', token: string, hello = true): Promise<Peer> {
    const headers = { authorization: `Bearer ${token}` }
    const peer = new Peer(new WebSocket(`${gateway.url}/v1/${role}`, SUBPROTOCOL, { headers }))
    await within(once(peer.socket, 'open'), 'upgrade')
    if (hello) {
      peer.socket.send(encodeJson(Kind.HELLO, { role, software: 'by hand' }))
      await peer.next(Kind.WELCOME)
    }
    return peer
  }

  /** The next message of this kind; others are passed over. */
  async next(kind: number): Promise<Buffer> {
    const look = async () => {
      for (;;) {
        const message = this.#messages.shift()
        if (message === undefined) await new Promise<void>(resolve => (this.#wake = resolve))
        else if (kindOf(message) === kind) return message
      }
    }
    return await within(look(), `message of kind ${kind}`)
  }

  /** A session of its own on route 7, at the agent. */
  async attach(): Promise<void> {
    this.socket.send(attach(7))
    await this.next(Kind.ATTACHED)
  }
}

const attach = (route: number, json: object = { agent: 'home', key: randomBytes(32).toString('base64url') }): Buffer =>
  encodeAttachment(Kind.ATTACH, route, {
    epoch: 1,
    sessionId: randomBytes(16),
    expected: 0,
    json: json as Record<string, unknown>,
  })

function message(kind: number, route: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const whole = Buffer.concat([Buffer.alloc(6), body])
  writeHeader(whole, route, kind, 0)
  return whole
}

/** A batch with these bytes for frames. */
const batch = (frames: Buffer, seq = 0, ack = 0): Buffer => {
  const body = Buffer.alloc(12)
  body.writeUIntBE(seq, 0, 6)
  body.writeUIntBE(ack, 6, 6)
  return message(Kind.BATCH, 7, Buffer.concat([body, frames]))
}

const frame = (type: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(8)
  head[0] = type
  head.writeUInt32BE(stream, 1)
  head.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([head, payload])
}

const hello = encodeJson(Kind.HELLO, { role: 'connect', software: 'by hand' })
const connectToken = await site.tokenText({ role: 'connect', subject: 'bad' })
const agentToken = await site.tokenText({ role: 'agent', subject: 'bad', agents: ['bad'] })

/** What ends the carrier. `attached`: sent on the route of a session that is attached. */
const carrierEnds: [what: string, state: 'new' | 'greeted' | 'attached', bytes: Buffer | string, code: number][] = [
  ['no HELLO', 'new', batch(Buffer.alloc(0)), 4400],
  ['a HELLO that is no JSON', 'new', message(Kind.HELLO, 0, Buffer.from('{')), 4400],
  ['a HELLO that is too long', 'new', message(Kind.HELLO, 0, Buffer.alloc(9_000, ' ')), 4400],
  ['an empty message', 'greeted', Buffer.alloc(0), 4400],
  ['a message without a whole header', 'greeted', Buffer.alloc(5), 4400],
  ['a text message', 'greeted', 'hello', 1003],
  ['a message over the limit', 'greeted', Buffer.alloc(128 * 1024 + 1), 1009],
  ['a second HELLO', 'greeted', hello, 4400],
  ['random bytes on route 0', 'greeted', message(77, 0, randomBytes(1000)), 4400],
  ['an ATTACH that is cut', 'greeted', attach(7).subarray(0, 20), 4400],
  ['an ATTACH with malformed JSON', 'greeted', Buffer.concat([attach(7), Buffer.from('}')]), 4400],
  ['a second ATTACH on a route', 'attached', attach(7), 4400],
  ['an unknown kind', 'attached', message(77, 7, randomBytes(10)), 4400],
  ['an ATTACHED from connect', 'attached', message(Kind.ATTACHED, 7, randomBytes(40)), 4400],
  ['a batch that is cut', 'attached', batch(Buffer.alloc(0)).subarray(0, 12), 4400],
  ['half a frame', 'attached', batch(frame(FrameType.DATA, 1, Buffer.from('x')).subarray(0, 8)), 4400],
  ['a frame of an unknown type', 'attached', batch(frame(99, 1)), 4400],
  ['a frame of stream 0', 'attached', batch(frame(FrameType.DATA, 0, Buffer.from('x'))), 4400],
  ['random bytes for frames', 'attached', batch(Buffer.alloc(500, 0xff)), 4400],
]

for (const [what, state, bytes, code] of carrierEnds) {
  test(`${what} from a client ends its carrier with ${code}, and nobody else's`, async () => {
    const peer = await Peer.open('connect', connectToken, state !== 'new')
    if (state === 'attached') await peer.attach()
    peer.socket.send(bytes)
    assert.equal((await within(peer.ended, 'close')).code, code)
    await echoed(bystander, what)
  })
}

test('a client that breaks the rules of WebSocket itself is closed with 1002', async () => {
  const peer = await Peer.open('connect', connectToken)
  const { _socket: raw } = peer.socket as unknown as { _socket: Socket }
  raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  assert.equal((await within(peer.ended, 'close')).code, 1002)
  await echoed(bystander, 'after 1002')
})

test('pings without end are closed with 4429', async () => {
  const peer = await Peer.open('connect', connectToken)
  for (let i = 0; i < 200; i++) peer.socket.ping()
  assert.equal((await within(peer.ended, 'close')).code, 4429)
  await echoed(bystander, 'after a flood of pings')
})

const sessionEnds: [what: string, bytes: Buffer, code: number][] = [
  ['a batch ahead of its turn', batch(Buffer.alloc(0), 5), 2],
  ['an acknowledgement of what was never sent', batch(Buffer.alloc(0), 0, 99), 2],
  ['data of a stream that was never opened', batch(frame(FrameType.DATA, 9, Buffer.from('x'))), 2],
  ['a ping of the wrong length', message(Kind.PING, 7, Buffer.from('x')), 2],
  [
    'an OPEN whose JSON is malformed',
    batch(frame(FrameType.OPEN, 1, Buffer.concat([Buffer.alloc(7), Buffer.from('{')]))),
    2,
  ],
]

for (const [what, bytes, code] of sessionEnds) {
  test(`${what} ends that session alone`, async () => {
    const peer = await Peer.open('connect', connectToken)
    await peer.attach()
    peer.socket.send(bytes)
    const detach = decodeDetach(await peer.next(Kind.DETACH))
    assert.deepEqual({ code: detach.code, final: detach.final }, { code, final: true })
    await echoed(bystander, what)
    // The carrier is unharmed: another session can be attached over it.
    peer.socket.send(attach(8))
    await peer.next(Kind.ATTACHED)
    peer.socket.terminate()
  })
}

test('C52: data beyond the limit ends that session alone, as a breach of flow control', async () => {
  const peer = await Peer.open('connect', connectToken)
  await peer.attach()
  // In one batch, so that no grant can come between.
  const target = { service: 'echo', namespace: 'test', port: 7, protocol: 'tcp' }
  const open = frame(FrameType.OPEN, 1, encodeOpen(0, target))
  peer.socket.send(batch(Buffer.concat([open, frame(FrameType.DATA, 1, Buffer.alloc(64 * 1024 + 1))])))
  assert.equal(decodeDetach(await peer.next(Kind.DETACH)).code, 3)
  await echoed(bystander, 'after too much data')
  peer.socket.terminate()
})

test('an ATTACH without an agent, or without a key, is refused and nothing else', async () => {
  const peer = await Peer.open('connect', connectToken)
  for (const json of [{}, { agent: 7 }, { agent: 'home' }, { agent: 'home', key: 'short' }]) {
    peer.socket.send(attach(9, json))
    assert.equal(decodeDetach(await peer.next(Kind.DETACH)).final, true)
  }
  await peer.attach()
  peer.socket.terminate()
  await echoed(bystander, 'after bad attempts')
})

test('an agent that breaks the rules is closed with 4400, and other agents are not', async () => {
  for (const bytes of [Buffer.alloc(3), hello, message(Kind.ATTACHED, 0)]) {
    const peer = await Peer.open('agent', agentToken)
    peer.socket.send(bytes)
    assert.equal((await within(peer.ended, 'close')).code, 4400)
  }
  const peer = await Peer.open('agent', agentToken)
  const client = await Peer.open('connect', await site.tokenText({ role: 'connect', agents: ['bad'] }))
  client.socket.send(attach(7, { agent: 'bad', key: randomBytes(32).toString('base64url') }))
  const offered = await peer.next(Kind.ATTACH)
  peer.socket.send(message(Kind.ATTACH, routeOf(offered), randomBytes(30)))
  assert.equal((await within(peer.ended, 'close')).code, 4400)
  assert.equal(decodeDetach(await client.next(Kind.DETACH)).final, false)
  client.socket.terminate()
  await echoed(bystander, 'after a bad agent')
})

/** A gateway whose every word the test says. */
async function fakeGateway(): Promise<{ url: string; accepted: () => Promise<Peer> }> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, handleProtocols: () => SUBPROTOCOL })
  const arrived: Peer[] = []
  let wake = () => {}
  sockets.on('connection', socket => {
    arrived.push(new Peer(socket))
    wake()
  })
  after(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  const take = async () => {
    for (;;) {
      const peer = arrived.shift()
      if (peer !== undefined) return peer
      await new Promise<void>(resolve => (wake = resolve))
    }
  }
  return { url: `ws://${await listen(server, { host: '127.0.0.1', port: 0 })}`, accepted: () => within(take(), 'dial') }
}

const welcome = encodeJson(Kind.WELCOME, { software: 'by hand', agents: ['home'] })

async function connectTo(url: string, args: readonly string[] = []) {
  const tokenFile = await site.token({ role: 'connect' })
  return site.run('connect', [
    'connect',
    '--gateway',
    url,
    '--token-file',
    tokenFile,
    ...args,
    '127.0.0.1:0:echo/test:7',
  ])
}

/** Lets the connect that has dialled attach. Returns its route. */
async function serveAttach(peer: Peer): Promise<number> {
  peer.socket.send(welcome)
  const asked = await peer.next(Kind.ATTACH)
  const attachment = { ...decodeAttachment(asked), expected: 0, json: { agent: 'home', maxInflight: 8_000_000 } }
  peer.socket.send(encodeAttachment(Kind.ATTACHED, routeOf(asked), attachment))
  return routeOf(asked)
}

test('a gateway that talks nonsense in place of WELCOME ends connect with one line', async () => {
  const { url, accepted } = await fakeGateway()
  const running = await connectTo(url)
  const peer = await accepted()
  peer.socket.send(message(77, 0, randomBytes(50)))
  assert.equal((await within(peer.ended, 'close')).code, 4400)
  assert.equal((await running.finished()).code, 1)
  assert.match(running.stderr, /^tunnelctl: PROTOCOL [^\n]+\n$/)
})

test('C71: codes that connect does not know are shown with their reason, on one line that is safe to print', async () => {
  const { url, accepted } = await fakeGateway()
  const detached = await connectTo(url)
  const first = await accepted()
  first.socket.send(welcome)
  const route = routeOf(await first.next(Kind.ATTACH))
  const reason = 'for \x1b[31mred\r\nreasons'
  first.socket.send(encodeDetach(route, { final: true, code: 999, retryMs: 0, reason }))
  assert.equal((await detached.finished()).code, 1)
  assert.match(detached.stderr, /^tunnelctl: INTERNAL for \\x1b\[31mred\\x0d\\x0areasons [^\n]+\n$/)

  const closed = await connectTo(url)
  const second = await accepted()
  second.socket.close(4999, 'for no reason')
  assert.equal((await closed.finished()).code, 4)
  assert.match(closed.stderr, /^tunnelctl: GATEWAY_UNREACHABLE [^\n]*for no reason[^\n]*\n$/)
})

test('C71: a stream that is reset with an unknown code is reset locally, and the next one is served', async () => {
  const { url, accepted } = await fakeGateway()
  const running = await connectTo(url, ['-o', 'json'])
  const peer = await accepted()
  const route = await serveAttach(peer)
  const { local } = await running.event('forwarding')
  const port = Number(String(local).split(':').at(-1))
  for (const stream of [1, 2]) {
    const ended = outcomeOf(port, 'x')
    while (!opens(await peer.next(Kind.BATCH), stream));
    const builder = new BatchBuilder()
    builder.add(FrameType.RESET, stream, encodeReset(999, 'something new'))
    peer.socket.send(builder.encode(route, stream - 1, 0))
    assert.equal(await ended, 'ECONNRESET')
    const error = await running.event('error', event => event.stream === stream)
    assert.deepEqual([error.code, error.message], ['INTERNAL', 'something new'])
  }
  await running.kill()
})

function opens(message: Buffer, wanted: number): boolean {
  let found = false
  walkFrames(message, (type, stream) => {
    found ||= type === FrameType.OPEN && stream === wanted
  })
  return found
}

test('a connected connect closes a gateway that breaks the rules with 4400, and dials again', async () => {
  const { url, accepted } = await fakeGateway()
  const running = await connectTo(url, ['-o', 'json'])
  for (const bytes of [Buffer.alloc(2), message(77, 0), message(Kind.WELCOME, 0, Buffer.from('['))]) {
    const peer = await accepted()
    await serveAttach(peer)
    const since = running.events.length
    peer.socket.send(bytes)
    assert.equal((await within(peer.ended, 'close')).code, 4400)
    await running.event('disconnected', undefined, since)
  }
  await serveAttach(await accepted())
  await running.kill()
})

test('a registered agent closes a gateway that breaks the rules with 4400, and dials again', async () => {
  const { url, accepted } = await fakeGateway()
  const token = await site.token({ role: 'agent' })
  const running = site.run('agent', ['agent', '--gateway', url, '--token-file', token])
  for (const bytes of [Buffer.alloc(2), message(77, 0), message(Kind.WELCOME, 0, Buffer.from('['))]) {
    const peer = await accepted()
    peer.socket.send(welcome)
    await running.event('registered')
    peer.socket.send(bytes)
    assert.equal((await within(peer.ended, 'close')).code, 4400)
  }
  const last = await accepted()
  last.socket.send(welcome)
  // An ATTACH that only a broken gateway would pass on is refused, and the agent goes on.
  last.socket.send(attach(1, { key: 'short' }))
  assert.equal(decodeDetach(await last.next(Kind.DETACH)).final, true)
  last.socket.send(message(Kind.ATTACH, 2, Buffer.from('x')))
  assert.equal(decodeDetach(await last.next(Kind.DETACH)).code, 2)
  await running.kill()
})
