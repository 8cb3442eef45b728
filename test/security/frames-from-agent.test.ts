/** Group C, the other way: what an agent sends to a client, through the gateway. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { decodeOpen, encodeCredit, encodeOpened, encodeReset, FrameType } from '../../src/wire/frame.ts'
import {
  decodeAttachment,
  decodeDetach,
  encodeAck,
  encodeAttachment,
  encodeDetach,
  encodePing,
  Kind,
  kindOf,
  routeOf,
} from '../../src/wire/message.ts'
import { dial, outcome, readExactly } from '../support/sockets.ts'
import type { Connect } from '../support/tunnel.ts'
import { Arena } from './arena.ts'
import { RawPeer } from './raw.ts'
import { data, fin, message, numbered, open, RawSession, target, unit } from './session.ts'

const KiB = 1024
const LARGEST = 2 ** 48 - 1
const TARGET = 'x/prod:1'
const [PROTOCOL, FLOW_CONTROL, NOT_FOUND] = [2, 3, 33]
const arena = await Arena.start({ after })
const evilToken = await arena.token('agent', { agents: ['evil'] })
let evil = await RawPeer.greet(arena.port, 'agent', evilToken)

/** The session that the victim asks for next. */
async function accepted(): Promise<RawSession> {
  const asked = await evil.next(Kind.ATTACH)
  const attachment = { ...decodeAttachment(asked), expected: 0, json: { agent: 'evil', maxInflight: 8 * 1024 * KiB } }
  evil.send(encodeAttachment(Kind.ATTACHED, routeOf(asked), attachment))
  return new RawSession(evil, { route: routeOf(asked) })
}

const tokenFile = await arena.site.token({ role: 'connect', agents: ['evil'], subject: 'victim' })
const starting = arena.site.connect(arena.gateway, [TARGET], { tokenFile })
let session = await accepted()
const victim: Connect = await starting
let stream = 0
await arena.settle()

/** Another connection of the victim, which the agent has accepted. */
async function connection(): Promise<Socket> {
  const socket = await dial(victim.port(TARGET))
  socket.write('?')
  const { stream: id, payload } = await session.next(FrameType.OPEN)
  assert.deepEqual(decodeOpen(payload, 0, payload.length).limit, 256 * KiB)
  stream = id
  session.send(unit(FrameType.OPENED, id, encodeOpened(LARGEST, 80)))
  return socket
}

async function serves(socket: Socket): Promise<void> {
  const bytes = randomBytes(10_000)
  session.send(data(stream, bytes))
  assert.ok((await readExactly(socket, bytes.length)).equals(bytes))
}

/** The session has ended with this code, and the next one serves. */
async function another(code: number): Promise<void> {
  assert.deepEqual(await session.detached(), { code, final: true })
  session = await accepted()
  const socket = await connection()
  await serves(socket)
  socket.resetAndDestroy()
  await arena.unharmed()
}

type Sent = () => Buffer
const ends: Record<string, Sent> = {
  'C44: a frame of a type that nobody knows': () => session.batch(unit(0x7f, stream, 'x')),
  'C45: a frame that is longer than its batch': () =>
    message(Kind.BATCH, session.route, numbered(session.seq, 0, data(stream, 'abc').subarray(0, -1))),
  'C48: a batch ahead of its turn': () =>
    message(Kind.BATCH, session.route, numbered(session.seq + 1, 0, data(stream, 'x'))),
  'C53: DATA behind FIN': () => session.batch(fin(stream), data(stream, 'x')),
  'C53, C54: a second FIN': () => session.batch(fin(stream), fin(stream)),
  'C55: DATA without data': () => session.batch(data(stream, '')),
  'C56: an acknowledgement of what was never sent': () => encodeAck(session.route, 1_000),
  'C60: CREDIT for a stream that was never opened': () =>
    session.batch(unit(FrameType.CREDIT, stream + 9, encodeCredit(1))),
  'C61: an ACK that is too long': () => Buffer.concat([encodeAck(session.route, 0), Buffer.alloc(1)]),
  'C62: the largest number of a batch': () => message(Kind.BATCH, session.route, numbered(LARGEST, 0)),
  'C62: the largest acknowledgement': () => encodeAck(session.route, LARGEST),
  'C64: a frame of stream 0': () => session.batch(data(0, 'x')),
  'C65: an OPEN': () => session.batch(open(stream + 1, target('db'))),
  'C71: a RESET with a reason of 300 bytes': () =>
    session.batch(unit(FrameType.RESET, stream, `\0\x01${'\x1b'.repeat(300)}`)),
  'C72: a PING that is too long': () => Buffer.concat([encodePing(Kind.PING, session.route, 1), Buffer.alloc(1)]),
  'C73: DGRAM': () => message(Kind.DGRAM, session.route, Buffer.from('datagram')),
}
for (const [what, sent] of Object.entries(ends)) {
  test(`${what} from an agent ends the session with PROTOCOL, and the client begins another`, async () => {
    const ended = outcome(await connection())
    evil.send(sent())
    await another(PROTOCOL)
    assert.equal(await ended, 'ECONNRESET')
  })
}

test('C44: a message of a kind that nobody knows closes the carrier of the agent with 4400, and its clients wait', async () => {
  const socket = await connection()
  evil.send(message(0x7f, session.route))
  assert.equal(await evil.code(), 4400)
  await arena.unharmed()
  evil = await RawPeer.greet(arena.port, 'agent', evilToken)
  // Another process, as far as the victim knows: the session is looked for there, and not found.
  const asked = await evil.next(Kind.ATTACH)
  evil.send(encodeDetach(routeOf(asked), { final: true, code: NOT_FOUND, retryMs: 0, reason: 'forgotten' }))
  assert.equal(await outcome(socket), 'ECONNRESET')
  session = await accepted()
  await serves(await connection())
})

test('C51: whoever sends on beyond the limit is ended with FLOW_CONTROL, and its reader is reset', async () => {
  const socket = await connection()
  socket.pause()
  const { route } = session
  let answer: Buffer = Buffer.alloc(6)
  for (let sent = 1; sent < 1_000 && kindOf(answer) !== Kind.DETACH; sent++) {
    session.send(data(stream, Buffer.alloc(64 * KiB)))
    // So that it is not too much for the gateway.
    evil.send(encodePing(Kind.PING, route, sent))
    answer = await evil.find('answer', each => [Kind.PONG, Kind.DETACH].some(kind => kind === kindOf(each)))
  }
  assert.equal(decodeDetach(answer).code, FLOW_CONTROL)
  await victim.process.event('close', ({ code }) => code === 'FLOW_CONTROL')
  socket.destroy()
  session = await accepted()
  await serves(await connection())
  await arena.unharmed()
})

const ignored: Record<string, () => Buffer[] | Promise<Buffer[]>> = {
  'C47: a message on a route that is not there': () => [
    message(Kind.BATCH, 999, Buffer.from('nonsense')),
    message(Kind.ATTACHED, 998),
  ],
  'C57: an acknowledgement that goes back': () => [encodeAck(session.route, 0)],
  'C58: a CREDIT that is smaller': () => [session.batch(unit(FrameType.CREDIT, stream, encodeCredit(1)))],
  'C59: the largest CREDIT': () => [session.batch(unit(FrameType.CREDIT, stream, encodeCredit(LARGEST)))],
  'C72: a PONG that nobody waits for': () => [encodePing(Kind.PONG, session.route, 99_999)],
  'C60, C70: what comes for a stream that is over': async () => {
    const ended = outcome(await connection())
    session.send(unit(FrameType.RESET, stream, encodeReset(7, 'refused')))
    assert.equal(await ended, 'ECONNRESET')
    const late = [data(stream, 'late'), fin(stream), fin(stream), unit(FrameType.CREDIT, stream, encodeCredit(1))]
    return [session.batch(...late, unit(FrameType.RESET, stream, encodeReset(1, 'again')))]
  },
}
for (const [what, sent] of Object.entries(ignored)) {
  test(`${what} from an agent changes nothing`, async () => {
    const socket = await connection()
    const of = stream
    evil.send(...(await sent()))
    stream = of
    await serves(socket)
    socket.resetAndDestroy()
    await arena.unharmed()
  })
}

test('C49, C50: a batch that comes again is dropped whole: no byte is doubled', async () => {
  const socket = await connection()
  const bytes = randomBytes(30_000)
  const batch = session.batch(data(stream, bytes))
  evil.send(batch, batch, batch)
  assert.ok((await readExactly(socket, bytes.length)).equals(bytes))
  await serves(socket)
  socket.resetAndDestroy()
  await arena.unharmed()
})
