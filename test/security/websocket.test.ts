/** Group A: WebSocket itself, at the gateway. Most of it is held at the carrier, in test/carrier/websocket.test.ts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { closePayload, Opcode } from '../../src/carrier/framing.ts'
import { Kind, SUBPROTOCOL } from '../../src/wire/message.ts'
import { Arena } from './arena.ts'
import { frame, hello, RawPeer } from './raw.ts'
import { data, fin, open, RawSession, target } from './session.ts'

const arena = await Arena.start({ after })
const { gateway } = arena
const token = await arena.token('connect')
const path = '/v1/connect'
const MiB = 1024 * 1024

test('A11: a message that comes byte by byte is taken whole, and costs no more than another', async () => {
  const session = await RawSession.create(await arena.client())
  const before = gateway.process.residentBytes ?? 0
  const bytes = randomBytes(20_000)
  await session.peer.trickle(frame(session.batch(open(1, target('echo')), data(1, bytes), fin(1))))
  assert.ok((await session.read(1, bytes.length)).equals(bytes))
  assert.ok((gateway.process.residentBytes ?? 0) - before < 16 * MiB)
  session.leave()
  session.peer.leave()
  await arena.unharmed()
})

test('A14: a reason that is no UTF-8 is read as replacement characters, and the close is answered with its own code', async () => {
  const peer = await arena.client()
  const payload = Buffer.concat([closePayload(4000, ''), Buffer.from([0xff, 0xfe, 0x1b, 0x5b])])
  const since = gateway.process.events.length
  peer.write(frame(payload, { opcode: Opcode.CLOSE }))
  assert.equal(await peer.code(), 4000)
  const line = await gateway.process.event('disconnected', ({ code }) => code === 4000, since)
  assert.equal(line.reason, '\ufffd\ufffd\\x1b[')
  await arena.unharmed()
})

test('A15: who floods with pings and reads no pong is closed, and fills no memory', async () => {
  const peer = await arena.client()
  peer.socket.pause()
  const before = gateway.process.residentBytes ?? 0
  for (let sent = 0; sent < 100; sent++) {
    peer.write(Buffer.concat(Array(1_000).fill(frame('x'.repeat(100), { opcode: Opcode.PING }))))
  }
  await arena.unharmed()
  assert.ok((gateway.process.residentBytes ?? 0) - before < 16 * MiB)
  peer.socket.resume()
  // The reset of a connection that has more to read may overtake what was said before it.
  assert.ok([4429, 1006].includes(await peer.code()))
  assert.ok(peer.pongs.length <= 21, `${peer.pongs.length} pongs`)
})

test('A16, A17: compression is not agreed on, however it is asked for, and a compressed frame is 1002', async () => {
  for (const offer of ['permessage-deflate', 'permessage-deflate; server_max_window_bits=99', 'x; y="', ',,;']) {
    const fields = [`Sec-WebSocket-Extensions: ${offer}`]
    const peer = await RawPeer.dial(arena.port, { path, token, fields })
    assert.equal(peer.status, 101, offer)
    assert.doesNotMatch(peer.head, /extensions/i)
    assert.match(peer.head, new RegExp(`^Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r$`, 'm'))
    peer.send(hello('connect'))
    await peer.next(Kind.WELCOME)
    peer.write(frame(Buffer.from('aa0400', 'hex'), { reserved: 0x40 }))
    assert.equal(await peer.code(), 1002)
  }
  await arena.unharmed()
})
