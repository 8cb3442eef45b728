import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket, connect as tcpConnect } from 'node:net'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import type { Masking } from '../../src/carrier/frame-writer.ts'
import { defaultHeartbeat, type HeartbeatOptions } from '../../src/carrier/liveness.ts'
import { clientOptions, serverOptions, Upgrade, type Upgraded } from '../../src/carrier/upgrade.ts'
import { WebSocketCarrier } from '../../src/carrier/websocket.ts'
import { systemClock } from '../../src/clock.ts'
import { MAX_MESSAGE_BYTES } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { carrierContract } from './contract.ts'

/** A server of one WebSocket, which becomes a carrier at once. */
async function serve(clock = systemClock, heartbeat?: HeartbeatOptions) {
  const server = createServer()
  const sockets = new WebSocketServer(serverOptions)
  const raw = new Set<Socket>()
  server.on('connection', socket => raw.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const accepted = new Promise<WebSocketCarrier>(resolve => {
    server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, ({ upgraded }) => {
        const options = { clock, masking: 'none' as const, ...(heartbeat && { heartbeat }) }
        resolve(new WebSocketCarrier(upgraded as Upgraded, options))
      })
    })
  })
  const close = async () => {
    for (const socket of raw) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  }
  return { port, accepted, close, connections: raw }
}

async function until(done: () => boolean): Promise<void> {
  const end = Date.now() + 5_000
  while (!done()) {
    if (Date.now() > end) throw new Error('waited 5 s in vain')
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

async function dial(port: number, masking: Masking): Promise<WebSocketCarrier> {
  const upgrade = new Upgrade(`ws://127.0.0.1:${port}`, clientOptions)
  return await new Promise((resolve, reject) => {
    upgrade.on('error', reject)
    upgrade.on('open', () =>
      resolve(new WebSocketCarrier(upgrade.upgraded as Upgraded, { clock: systemClock, masking })),
    )
  })
}

async function joined(masking: Masking) {
  const server = await serve()
  const a = await dial(server.port, masking)
  const b = await server.accepted
  const dispose = async () => {
    a.terminate()
    b.terminate()
    await server.close()
  }
  return { a, b, until, dispose }
}

carrierContract('WebSocket with a zero mask', () => joined('zero'))
carrierContract('WebSocket with random masks', () => joined('random'))

test('a client that is ws itself and a carrier understand each other, to the closing handshake', async () => {
  const server = await serve()
  const client = new WebSocket(`ws://127.0.0.1:${server.port}`, { perMessageDeflate: false, autoPong: true })
  try {
    const carrier = await server.accepted
    const [received, ends]: [Buffer[], unknown[]] = [[], []]
    carrier.start({
      message: (first, rest) => {
        const message = Buffer.concat([first, ...rest])
        received.push(message)
        carrier.send(message)
      },
      drain: () => {},
      closed: end => ends.push(end),
    })
    const echoed: Buffer[] = []
    client.on('message', data => echoed.push(data as Buffer))
    await once(client, 'open')
    const messages = [0, 1, 125, 126, 65_535, 65_536, MAX_MESSAGE_BYTES].map((size, at) => Buffer.alloc(size, at + 1))
    for (const message of messages) client.send(message)
    await until(() => echoed.length === messages.length && carrier.pongs > 0)
    assert.deepEqual([received, echoed], [messages, messages])
    client.close(4000, 'good bye')
    const [code, reason] = await once(client, 'close')
    assert.deepEqual([code, String(reason), ends], [4000, '', [{ code: 4000, reason: 'good bye' }]])
  } finally {
    client.terminate()
    await server.close()
  }
})

/** A peer that speaks bytes: what it sends is up to the test, what it gets is kept. */
async function rawPeer(heartbeat?: HeartbeatOptions, clock = systemClock) {
  const server = await serve(clock, heartbeat)
  const socket = tcpConnect({ port: server.port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  let received = Buffer.alloc(0)
  socket.write(
    [
      'GET / HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      '\r\n',
    ].join('\r\n'),
  )
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk])
  })
  const carrier = await server.accepted
  await until(() => received.includes('\r\n\r\n'))
  const seen = { messages: [] as Buffer[], ends: [] as number[] }
  carrier.start({
    message: message => seen.messages.push(message),
    drain: () => {},
    closed: ({ code }) => seen.ends.push(code),
  })
  return {
    socket,
    carrier,
    seen,
    close: server.close,
    bytesRead: () => [...server.connections].reduce((total, { bytesRead }) => total + bytesRead, 0),
    /** The code of the close frame that was received, once there is one. */
    closeCode: () => {
      let at = received.indexOf('\r\n\r\n') + 4
      while (at + 2 <= received.length) {
        const length = (received[at + 1] ?? 0) & 0x7f
        if (((received[at] ?? 0) & 0x0f) === 8) return received.readUInt16BE(at + 2)
        at += 2 + length
      }
      return undefined
    },
    pongs: () => {
      let pongs = 0
      let at = received.indexOf('\r\n\r\n') + 4
      while (at + 2 <= received.length) {
        if (((received[at] ?? 0) & 0x0f) === 10) pongs++
        at += 2 + ((received[at + 1] ?? 0) & 0x7f)
      }
      return pongs
    },
  }
}

const MASK = [0, 0, 0, 0]
/** A masked frame with a zero mask. */
function frame(first: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload as string)
  if (body.length < 126) return Buffer.concat([Buffer.from([first, 0x80 | body.length, ...MASK]), body])
  return Buffer.concat([Buffer.from([first, 0xfe, body.length >> 8, body.length & 255, ...MASK]), body])
}
/** The head of a frame that claims a length. */
function claim(bytes: bigint): Buffer {
  const head = Buffer.alloc(14)
  head.set([0x82, 0xff])
  head.writeBigUInt64BE(bytes, 2)
  return head
}
const closing = (code: number, reason: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return frame(0x88, Buffer.concat([head, reason]))
}

const negatives: [what: string, bytes: Buffer, code: number][] = [
  ['A1: an unmasked frame', Buffer.from([0x82, 0x01, 0x00]), 1002],
  ['A2: RSV1', frame(0xc2, 'x'), 1002],
  ['A3: RSV2', frame(0xa2, 'x'), 1002],
  ['A3: RSV3', frame(0x92, 'x'), 1002],
  ['A4: opcode 3', frame(0x83, 'x'), 1002],
  ['A4: opcode 11', frame(0x8b, 'x'), 1002],
  ['A5: a ping in fragments', frame(0x09, 'x'), 1002],
  ['A6: a ping of 126 bytes', frame(0x89, Buffer.alloc(126)), 1002],
  ['A7: a length of 2^63', claim(2n ** 63n), 1009],
  ['A8: one byte more than the largest message, before it is read', claim(BigInt(MAX_MESSAGE_BYTES) + 1n), 1009],
  ['A9: many fragments', Buffer.concat([frame(0x02, 'a'), ...Array(10).fill(frame(0x00, 'b'))]), 1008],
  ['A10: endless empty fragments', Buffer.concat([frame(0x02), ...Array(2_000).fill(frame(0x00))]), 1008],
  ['A12: text', frame(0x81, 'hello'), 1003],
  ['A13: the close code 1005', closing(1005), 1002],
  ['A13: the close code 999', closing(999), 1002],
  ['A13: the close code 5000', closing(5000), 1002],
  ['a continuation of nothing', frame(0x80, 'x'), 1002],
]

for (const [what, bytes, code] of negatives) {
  test(`${what} is answered with ${code} and ends the carrier`, async () => {
    const peer = await rawPeer()
    try {
      peer.socket.write(bytes)
      await until(() => peer.closeCode() !== undefined)
      assert.equal(peer.closeCode(), code)
      peer.socket.destroy()
      await until(() => peer.seen.ends.length > 0)
      assert.deepEqual([peer.seen.ends.length, peer.seen.messages], [1, []])
    } finally {
      await peer.close()
    }
  })
}

test('A15: a flood of pings gets few answers and 4429', async () => {
  const peer = await rawPeer()
  try {
    peer.socket.write(Buffer.concat(Array(1_000).fill(frame(0x89, 'x'))))
    await until(() => peer.closeCode() !== undefined)
    assert.equal(peer.closeCode(), 4429)
    assert.ok(peer.pongs() <= 20, `${peer.pongs()} pongs`)
    peer.socket.destroy()
  } finally {
    await peer.close()
  }
})

test('a ping now and then is answered for ever', async () => {
  const clock = new VirtualClock()
  const peer = await rawPeer(undefined, clock)
  try {
    for (let pings = 1; pings <= 60; pings++) {
      clock.advanceSync(1_000)
      peer.socket.write(frame(0x89, 'x'))
      await until(() => peer.pongs() === pings)
    }
    assert.equal(peer.closeCode(), undefined)
  } finally {
    peer.socket.destroy()
    await peer.close()
  }
})

test('A18: a socket that is reset in the middle of a frame ends the carrier, and no error escapes', async () => {
  const peer = await rawPeer()
  try {
    peer.socket.write(claim(1_000n))
    peer.socket.write(Buffer.alloc(500))
    await new Promise(resolve => setImmediate(resolve))
    peer.socket.resetAndDestroy()
    await until(() => peer.seen.ends.length > 0)
    assert.deepEqual(peer.seen, { messages: [], ends: [1006] })
  } finally {
    await peer.close()
  }
})

test('A19: what follows a close is ignored', async () => {
  const peer = await rawPeer()
  try {
    peer.socket.write(Buffer.concat([frame(0x82, 'in time'), closing(1000), frame(0x82, 'too late')]))
    await until(() => peer.seen.ends.length > 0)
    assert.deepEqual([peer.seen.messages.map(String), peer.seen.ends], [['in time'], [1000]])
  } finally {
    peer.socket.destroy()
    await peer.close()
  }
})

test('a peer of which nothing is heard is dead after deadMs, not earlier; one that answers lives on', async () => {
  const clock = new VirtualClock()
  const peer = await rawPeer(defaultHeartbeat, clock)
  try {
    clock.advanceSync(30_000)
    peer.socket.write(frame(0x8a))
    peer.socket.write(frame(0x82, 'marker'))
    await until(() => peer.seen.messages.length === 1)
    clock.advanceSync(39_999)
    assert.deepEqual(peer.seen.ends, [])
    clock.advanceSync(1)
    assert.deepEqual(peer.seen.ends, [1006])
    assert.equal(clock.timers, 0)
  } finally {
    await peer.close()
  }
})

test('a large message that trickles in keeps the carrier alive before it is whole', async () => {
  const clock = new VirtualClock()
  const peer = await rawPeer(defaultHeartbeat, clock)
  try {
    const large = frame(0x82, 'x'.repeat(60_000))
    for (let at = 0, beats = 1; beats <= 6; at += 10_000, beats++) {
      peer.socket.write(large.subarray(at, Math.min(at + 10_000, large.length - 1)))
      await until(() => peer.bytesRead() > at + 9_999)
      clock.advanceSync(15_000)
      assert.deepEqual(peer.seen.ends, [], `after ${beats * 15} s`)
    }
    clock.advanceSync(55_000)
    assert.deepEqual(peer.seen.ends, [1006], 'and silence ends it as ever')
  } finally {
    await peer.close()
  }
})

test('the heartbeat measures the round-trip time', async () => {
  const clock = new VirtualClock()
  const peer = await rawPeer(undefined, clock)
  try {
    assert.equal(peer.carrier.heartbeatMs, undefined)
    clock.advanceSync(7)
    peer.socket.write(frame(0x8a))
    await until(() => peer.carrier.heartbeatMs !== undefined)
    assert.equal(peer.carrier.heartbeatMs, 7)
  } finally {
    peer.socket.destroy()
    await peer.close()
  }
})

test('a carrier that is held by what came with its handshake reads nothing more until it is released', async () => {
  const clock = new VirtualClock()
  const server = createTcpServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = tcpConnect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  const carrier = new WebSocketCarrier({ socket, head: frame(0x82, 'first') }, { clock, masking: 'none' })
  const seen: string[] = []
  try {
    carrier.start({
      message: message => {
        seen.push(message.toString())
        carrier.hold(1_000)
      },
      drain: () => {},
      closed: () => {},
    })
    for (let count = 0; count < 32; count++) client.write(frame(0x82, 'x'.repeat(64_000)))
    // Long enough for it to be read, if somebody read; Node has done so once, before it was asked.
    for (let turn = 0; turn < 100; turn++) await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual(seen, ['first'])
    assert.ok(socket.bytesRead <= 64 * 1024, String(socket.bytesRead))
    clock.advanceSync(1_000)
    await until(() => seen.length === 2)
  } finally {
    client.destroy()
    socket.destroy()
    server.close()
  }
})

test('a carrier that is held for longer than a silence may last is alive when it is released', async () => {
  const clock = new VirtualClock()
  const peer = await rawPeer(undefined, clock)
  try {
    peer.carrier.hold(300_000)
    for (let second = 0; second < 299; second++) {
      clock.advanceSync(1_000)
      // Its pings are to leave.
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.deepEqual([peer.closeCode(), peer.seen.ends], [undefined, []])
  } finally {
    peer.socket.destroy()
    await peer.close()
  }
})

test('a flood of pongs that nobody has asked for ends in 4429, too', async () => {
  const peer = await rawPeer()
  try {
    peer.socket.write(Buffer.concat(Array(1_000).fill(frame(0x8a))))
    await until(() => peer.closeCode() !== undefined)
    assert.equal(peer.closeCode(), 4429)
  } finally {
    await peer.close()
  }
})
