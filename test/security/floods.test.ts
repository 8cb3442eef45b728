/** Group C, what is too much: a client that sends, opens, asks or keeps more than it may. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { decodeOpened, decodeReset, encodeReset, FrameType } from '../../src/wire/frame.ts'
import { decodeDetach, encodeAck, encodeDetach, encodePing, Kind, kindOf } from '../../src/wire/message.ts'
import { serve } from '../support/sockets.ts'
import { metricsOf } from '../support/tunnel.ts'
import { Arena } from './arena.ts'
import { data, open, RawSession, target, unit } from './session.ts'

const scope = { after }
const KiB = 1024
/** A connection is 50, each frame and each message is 1 (docs/security.md, "Limits"). */
const WORK_PER_SECOND = 10_000
const LARGEST = 2 ** 48 - 1
const [FLOW_CONTROL, LIMIT] = [3, 4]
let dialled = 0
const counting = await serve(scope, socket => {
  dialled++
  socket.resume()
})
const source = await serve(scope, socket => {
  const fill = () => {
    while (!socket.destroyed && socket.write(Buffer.alloc(64 * KiB)));
  }
  socket.on('drain', fill)
  fill()
})
const arena = await Arena.start(scope, {
  gatewayArgs: ['--limit', `work-per-second=${WORK_PER_SECOND}`],
  agentArgs: ['--limit', 'streams-per-session=50'],
  services: {
    'deaf/prod:1': await serve(scope, socket => socket.pause()),
    'count/prod:1': counting,
    'source/prod:1': source,
  },
})
const echo = target('echo')

/** The session still serves. */
async function echoes(session: RawSession): Promise<void> {
  const bytes = randomBytes(1_000)
  session.send(open(1_000, echo), data(1_000, bytes))
  assert.ok((await session.read(1_000, bytes.length)).equals(bytes))
}

async function attached(): Promise<RawSession> {
  return await RawSession.create(await arena.client())
}

test('C51: whoever sends on beyond the limit is ended with FLOW_CONTROL', async () => {
  const session = await attached()
  session.send(open(1, target('deaf', 'prod', 1)))
  const { payload } = await session.next(FrameType.OPENED)
  assert.equal(decodeOpened(payload, 0).limit, 256 * KiB)
  let answer: Buffer = Buffer.alloc(6)
  for (let sent = 1; sent < 1_000 && kindOf(answer) !== Kind.DETACH; sent++) {
    session.send(data(1, Buffer.alloc(64 * KiB)))
    // So that it is not too much for the gateway.
    session.peer.send(encodePing(Kind.PING, session.route, sent))
    answer = await session.peer.find('answer', each => [Kind.PONG, Kind.DETACH].some(kind => kind === kindOf(each)))
  }
  assert.equal(decodeDetach(answer).code, FLOW_CONTROL)
  await arena.unharmed()
})

test('C52: data behind OPEN beyond 64 KiB is ended with FLOW_CONTROL', async () => {
  const session = await attached()
  session.send(open(1, target('deaf', 'prod', 1)), data(1, Buffer.alloc(64 * KiB)), data(1, 'x'))
  assert.deepEqual(await session.detached(), { code: FLOW_CONTROL, final: true })
  session.peer.leave()
  await arena.unharmed()
})

test('C66: one stream too many is reset with LIMIT, and the others live', async () => {
  const session = await attached()
  for (let stream = 1; stream <= 51; stream++) session.send(open(stream, echo))
  const { stream, payload } = await session.next(FrameType.RESET)
  assert.deepEqual([stream, decodeReset(payload, 0, payload.length).code], [51, LIMIT])
  const bytes = randomBytes(1_000)
  session.send(data(50, bytes))
  assert.ok((await session.read(50, bytes.length)).equals(bytes))
  session.leave()
  await arena.unharmed()
})

/** Whoever has sent so much work waits for as long as it takes at the rate, and then is served; others are served meanwhile. */
async function waits(session: RawSession, work: number): Promise<void> {
  const beganAt = performance.now()
  let done = false
  const served = echoes(session).then(() => {
    done = true
  })
  await arena.others()
  assert.equal(done, false)
  await served
  const ms = performance.now() - beganAt
  assert.ok(ms > (800 * work) / WORK_PER_SECOND, `${work} took ${ms} ms`)
  session.leave()
  await arena.unharmed()
}

test('C67: who opens and resets without end waits, nobody else does, and no dial and no socket is left', async () => {
  const session = await attached()
  const before = dialled
  for (let stream = 1; stream <= 300; ) {
    const units = Array.from({ length: 10 }, () => stream++).flatMap(id => [
      open(id, target('count', 'prod', 1)),
      unit(FrameType.RESET, id, encodeReset(13, '')),
    ])
    session.send(...units)
  }
  await waits(session, 300 * 52)
  assert.ok(dialled - before <= 300)
})

test('C75: who sends messages without data without end waits, and nobody else does', async () => {
  const { route } = new RawSession(await arena.client())
  const leave = encodeDetach(route + 1, { final: true, code: 1, retryMs: 0, reason: '' })
  for (const flood of [encodeAck(route, 0), encodePing(Kind.PONG, route, 1), leave]) {
    const session = await attached()
    for (let sent = 0; sent < 10; sent++) session.peer.send(...Array(1_000).fill(flood))
    await waits(session, 10_000)
  }
})

test('C76: who grants everything, acknowledges blindly and reads nothing fills one queue, which ends that route alone', async () => {
  const session = await attached()
  session.peer.socket.pause()
  session.send(open(1, target('source', 'prod', 1), LARGEST))
  const figure = async (name: string) => (await metricsOf(arena.gateway)).get(name) ?? 0
  const before = await figure('overloads_total')
  let most = 0
  // One batch is always on its way, so that the next may be acknowledged.
  for (let ack = 1; ack < 2_000 && (await figure('overloads_total')) === before; ack++) {
    session.peer.send(encodeAck(session.route, ack))
    most = Math.max(most, await figure('queued_bytes'))
  }
  assert.equal(await figure('overloads_total'), before + 1)
  assert.ok(most > 4 * 1024 * KiB && most <= 8_448 * KiB, `${most} bytes were queued`)
  session.peer.leave()
  await arena.unharmed()
})
