/** Group C: what a client sends to an agent, through the gateway. The other way is in frames-from-agent.test.ts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { encodeDatagram } from '../../src/net/datagram.ts'
import { encodeCredit, encodeReset, FrameType } from '../../src/wire/frame.ts'
import { encodeAck, encodeDetach, encodePing, Kind } from '../../src/wire/message.ts'
import { outcome, serve, serveByHand } from '../support/sockets.ts'
import { Arena } from './arena.ts'
import { data, fin, message, numbered, open, RawSession, target, unit } from './session.ts'

const scope = { after }
const KiB = 1024
const LARGEST = 2 ** 48 - 1
const [PROTOCOL, BAD_TARGET, NOT_FOUND] = [2, 6, 33]
const udp = createSocket('udp4').bind(0, '127.0.0.1')
await once(udp, 'listening')
udp.on('message', (payload, { port, address }) => udp.send(payload, port, address))
after(() => udp.close())
const hand = await serveByHand(scope)
let dialled = 0
const counting = await serve(scope, socket => {
  dialled++
  socket.resume()
})
const arena = await Arena.start(scope, {
  services: {
    'udp/prod:9/udp': udp.address().port,
    'hand/prod:1': hand.port,
    'count/prod:1': counting,
  },
})
const echo = target('echo')

async function attached(): Promise<RawSession> {
  return await RawSession.create(await arena.client())
}

/** The session ends in order, and all is as before. */
async function over(session: RawSession): Promise<void> {
  session.leave()
  await arena.unharmed()
}

/** The session still serves. */
async function echoes(session: RawSession, stream = 1_000): Promise<void> {
  const bytes = randomBytes(10_000)
  session.send(open(stream, echo), data(stream, bytes), fin(stream))
  assert.ok((await session.read(stream, bytes.length)).equals(bytes))
}

/** The code with which the carrier was closed, or the session ended for good. */
async function fate(session: RawSession): Promise<number> {
  try {
    const { code, final } = await session.detached()
    assert.ok(final)
    return code
  } catch {
    return await session.peer.code()
  }
}

type Sent = (session: RawSession) => Buffer
const carrierEnds: Record<string, Sent> = {
  'C44: a frame of a type that nobody knows': session => session.batch(unit(0x7f, 1, 'x')),
  'C44: a frame of a type that some would pass over': session => session.batch(unit(0xe0, 1, 'x')),
  'C44: a message of a kind that nobody knows': ({ route }) => message(0x7f, route),
  'C46: a batch on route 0': () => message(Kind.BATCH, 0, numbered(0, 0, open(1, echo))),
  'C46: a ping on route 0': () => encodePing(Kind.PING, 0, 1),
  'C55: DATA without data': session => session.batch(open(1, echo), data(1, '')),
  'C64: an OPEN of stream 0': session => session.batch(open(0, echo)),
  'C68: an OPEN of more than 4 KiB': session => session.batch(open(1, { ...echo, x: 'x'.repeat(4 * KiB) })),
  'C71: a RESET with a reason of 300 bytes': session =>
    session.batch(open(1, echo), unit(FrameType.RESET, 1, `\0\x01${'\x1b'.repeat(300)}`)),
}
for (const [what, sent] of Object.entries(carrierEnds)) {
  test(`${what} closes the carrier with 4400, and nobody else's`, async () => {
    const session = await attached()
    session.peer.send(sent(session))
    assert.equal(await session.peer.code(), 4400)
    await arena.unharmed()
  })
}

const opened = (session: RawSession, ...units: Buffer[]): Buffer => session.batch(open(1, echo), ...units)
const sessionEnds: Record<string, Sent> = {
  'C48: a batch ahead of its turn': ({ route }) => message(Kind.BATCH, route, numbered(1, 0, open(1, echo))),
  'C53: DATA behind FIN': session => opened(session, fin(1), data(1, 'x')),
  'C53, C54: a second FIN': session => opened(session, fin(1), fin(1)),
  'C56: an acknowledgement of what was never sent': ({ route }) => encodeAck(route, 1),
  'C60: CREDIT for a stream that was never opened': session =>
    opened(session, unit(FrameType.CREDIT, 2, encodeCredit(1))),
  'C61: an ACK that is too short': ({ route }) => encodeAck(route, 0).subarray(0, -1),
  'C61: an ACK that is too long': ({ route }) => Buffer.concat([encodeAck(route, 0), Buffer.alloc(10)]),
  'C62: the largest number of a batch': ({ route }) => message(Kind.BATCH, route, numbered(LARGEST, 0)),
  'C62: the largest acknowledgement': ({ route }) => encodeAck(route, LARGEST),
  'C68: an OPEN that is no JSON': session => session.batch(unit(FrameType.OPEN, 1, `${'\0'.repeat(7)}{"service":`)),
  'C68: an OPEN that is a list': session => session.batch(unit(FrameType.OPEN, 1, `${'\0'.repeat(7)}[]`)),
  'C72: a PING that is too short': ({ route }) => encodePing(Kind.PING, route, 1).subarray(0, -1),
  'C73: DGRAM': ({ route }) => message(Kind.DGRAM, route, Buffer.from('datagram')),
}
for (const [what, sent] of Object.entries(sessionEnds)) {
  test(`${what} ends the session with PROTOCOL, and nothing else`, async () => {
    const session = await attached()
    const other = await RawSession.create(session.peer, 8)
    session.peer.send(sent(session))
    assert.deepEqual(await session.detached(), { code: PROTOCOL, final: true })
    await echoes(other)
    await over(other)
  })
}

/** Bodies of fixed lengths: of these none is long enough, or what is too long is as wrong. */
const bodies: [kind: number, lengths: number, whole?: number][] = [
  [Kind.ATTACH, 26],
  [Kind.BATCH, 12],
  [Kind.ACK, 16, 6],
  [Kind.PING, 16, 8],
  [Kind.PONG, 16, 8],
]

test('C45: whatever message or frame is cut, at whatever byte, ends the session or the carrier', async () => {
  const cut: Buffer[] = [0, 1, 2, 3, 4, 5].map(bytes => message(Kind.BATCH, 7).subarray(0, bytes))
  for (const [kind, lengths, whole] of bodies) {
    const route = kind === Kind.ATTACH ? 99 : 7
    for (let length = 0; length < lengths; length++)
      if (length !== whole) cut.push(message(kind, route, Buffer.alloc(length)))
  }
  for (let type = 1; type <= 6; type++) {
    const good = type === FrameType.OPEN ? open(1, echo) : unit(type, 1, 'x'.repeat(type === FrameType.FIN ? 0 : 8))
    for (let length = 1; length < 16 && length < good.length; length++)
      cut.push(message(Kind.BATCH, 7, numbered(0, 0, good.subarray(0, length))))
  }
  for (const bytes of cut) {
    const session = await attached()
    session.peer.send(bytes)
    const code = await fate(session)
    assert.ok([PROTOCOL, 4400].includes(code), `${bytes.toString('hex')}: ${code}`)
    session.peer.leave()
  }
  await arena.unharmed()
})

test('C45: a DETACH that is cut ends its session, without an answer, for the route is left', async () => {
  const whole = encodeDetach(7, { final: false, code: 14, retryMs: 0, reason: '' })
  for (let length = 6; length < whole.length; length++) {
    const session = await attached()
    session.peer.send(whole.subarray(0, length), session.resume())
    assert.deepEqual(await session.detached(), { code: NOT_FOUND, final: true })
    session.peer.leave()
  }
  await arena.unharmed()
})

const ignored: Record<string, (session: RawSession) => Buffer[] | Promise<Buffer[]>> = {
  'C47: a message on a route that is not there': ({ route }) => [
    message(Kind.BATCH, route + 1, Buffer.from('nonsense')),
    encodeAck(route + 1, 9),
    message(0x7f, 2 ** 32 - 1),
  ],
  'C59: the largest CREDIT': session => [opened(session, unit(FrameType.CREDIT, 1, encodeCredit(LARGEST)))],
  'C60, C70: what comes for a stream that is over': session => [
    opened(session, unit(FrameType.RESET, 1, encodeReset(13, 'gone'))),
    session.batch(data(1, 'late'), fin(1), fin(1), unit(FrameType.CREDIT, 1, encodeCredit(1))),
    session.batch(unit(FrameType.RESET, 1, encodeReset(1, 'again'))),
  ],
  'C64: a number of a stream that is a million higher': session => [
    session.batch(open(1, echo), open(1_000_001, echo)),
  ],
  'C72: a PONG that nobody waits for': ({ route }) => [
    encodePing(Kind.PONG, route, 77),
    encodePing(Kind.PONG, route, 1),
  ],
  'C57: an acknowledgement that goes back': async session => {
    await echoes(session, 1)
    return [1, 0].map(ack => encodeAck(session.route, ack))
  },
  'C58: a CREDIT that is smaller': session => [opened(session, unit(FrameType.CREDIT, 1, encodeCredit(1)))],
}
for (const [what, sent] of Object.entries(ignored)) {
  test(`${what} changes nothing`, async () => {
    const session = await attached()
    session.peer.send(...(await sent(session)))
    await echoes(session, 2_000_000)
    await over(session)
  })
}

test('C49, C50, C54: a batch that comes again is dropped whole: no byte, no FIN and no dial is doubled', async () => {
  const session = await attached()
  const before = dialled
  const bytes = randomBytes(30_000)
  const batch = session.batch(open(1, echo), open(2, target('count', 'prod', 1)), data(1, bytes), fin(1))
  session.peer.send(batch, batch, batch)
  assert.ok((await session.read(1, bytes.length)).equals(bytes))
  assert.equal((await session.next(FrameType.FIN)).stream, 1)
  await echoes(session)
  assert.equal(dialled - before, 1)
  await over(session)
})

test('C63: a number that was used is not dialled twice: it ends the session', async () => {
  const session = await attached()
  const before = dialled
  const count = target('count', 'prod', 1)
  session.send(open(5, count))
  await session.next(FrameType.OPENED)
  session.send(open(5, count), open(6, count))
  assert.deepEqual(await session.detached(), { code: PROTOCOL, final: true })
  await over(session)
  assert.equal(dialled - before, 1)
})

test('C68: JSON that is nested as deep as it fits is no target, and no more than that', async () => {
  const session = await attached()
  for (const [stream, text] of [
    `{"service":${'['.repeat(2_000)}${']'.repeat(2_000)}}`,
    '{"__proto__":{"service":"echo"}}',
  ].entries()) {
    session.send(unit(FrameType.OPEN, stream + 1, Buffer.concat([Buffer.alloc(7), Buffer.from(text)])))
    assert.equal(await session.reset(), BAD_TARGET)
  }
  await echoes(session)
  await over(session)
})

test('C71: a RESET with a code that nobody knows is a reset, and what it says is safe to print', async () => {
  const session = await attached()
  session.send(open(1, target('hand', 'prod', 1)))
  const served = await hand.accepted()
  const ended = outcome(served)
  const since = arena.agent.process.events.length
  await session.next(FrameType.OPENED)
  session.send(unit(FrameType.RESET, 1, encodeReset(65_535, 'forged\r\n{"event":"x"}\x1b]0;pwned\x07\u202e')))
  assert.equal(await ended, 'ECONNRESET')
  const line = await arena.agent.process.event('stream closed', ({ stream }) => stream === 1, since)
  assert.equal(line.code, 'INTERNAL')
  assert.doesNotMatch(arena.agent.process.stderr, /^\{"event":"x"\}/m)
  assert.doesNotMatch(arena.agent.process.stderr.replaceAll('\n', ''), /[\p{Cc}\u202e]/u)
  await over(session)
})

test('C73, C74: a datagram that no network carries is lost, alone', async () => {
  const session = await attached()
  session.send(open(1, target('udp', 'prod', 9, 'udp')))
  await session.next(FrameType.OPENED)
  for (const bytes of [65_508, 65_535]) session.send(data(1, encodeDatagram(Buffer.alloc(bytes))))
  const last = encodeDatagram(randomBytes(1_000))
  session.send(data(1, last))
  assert.ok((await session.read(1, last.length)).equals(last))
  await over(session)
})
