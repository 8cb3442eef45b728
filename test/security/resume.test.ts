/** Group D: who comes for a session, and when. What has no number here is held in test/mux and test/sim. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { encodeReset, FrameType } from '../../src/wire/frame.ts'
import { decodeAttachment, Kind, kindOf, routeOf } from '../../src/wire/message.ts'
import { outcome, readAll, readExactly, serveByHand } from '../support/sockets.ts'
import { Arena } from './arena.ts'
import { hello, RawPeer } from './raw.ts'
import { data, fin, open, RawSession, type Refusal, target, unit } from './session.ts'

const scope = { after }
const [LIMIT, AGENT_UNAVAILABLE, NOT_FOUND, STALE_EPOCH, SUPERSEDED, DESYNC] = [4, 32, 33, 34, 35, 36]
const hand = await serveByHand(scope)
const arena = await Arena.start(scope, {
  agentArgs: ['--detached-ttl', '1s'],
  services: { 'hand/prod:1': hand.port },
})

/** Whoever comes for a session must be the subject that it is of. */
const mallory = (): Promise<RawPeer> => arena.client({ subject: 'mallory' })

interface Served {
  readonly session: RawSession
  /** Of stream 1, at the service. */
  readonly socket: Socket
}

async function served(): Promise<Served> {
  const session = await RawSession.create(await mallory())
  session.send(open(1, target('hand', 'prod', 1)))
  const socket = await hand.accepted()
  await session.next(FrameType.OPENED)
  return { session, socket }
}

/** Every byte passes, both ways. */
async function passes({ session, socket }: Served): Promise<void> {
  const bytes = randomBytes(20_000)
  session.send(data(1, bytes))
  assert.ok((await readExactly(socket, bytes.length)).equals(bytes))
  socket.write(bytes)
  assert.ok((await session.read(1, bytes.length)).equals(bytes))
}

/** The same session, as somebody else comes for it over a carrier of their own. */
async function asked(session: RawSession, peer: RawPeer, attach: (copy: RawSession) => Buffer): Promise<Buffer> {
  const copy = new RawSession(peer, { route: 70, id: session.id, key: session.key })
  copy.epoch = session.epoch
  peer.send(attach(copy))
  return await peer.find('answer', each => [Kind.ATTACHED, Kind.DETACH].some(kind => kind === kindOf(each)))
}

const refusalOf = (answer: Buffer): Refusal => ({ code: answer.readUInt16BE(6), final: answer[5] === 1 })

async function over({ session }: Served): Promise<void> {
  session.leave()
  await arena.unharmed()
}

test('D79, D80, D83, D84: unknown, without proof, and by another subject are one answer, byte for byte', async () => {
  const one = await served()
  const { session } = one
  const before = await arena.figure('resumes_refused_total')
  const mine = await mallory()
  const theirs = await arena.client({ subject: 'eve' })
  const answers = [
    await asked(session, mine, copy => new RawSession(mine, { route: copy.route }).resume()),
    await asked(session, mine, copy => copy.attach({ proof: 'x'.repeat(43) })),
    await asked(session, mine, copy => copy.attach({})),
    await asked(session, theirs, copy => copy.resume()),
    await asked(session, theirs, copy => copy.attach({ key: session.key.toString('base64url') })),
  ]
  for (const answer of answers) assert.deepEqual(answer, answers[0])
  assert.deepEqual(refusalOf(answers[0] as Buffer), { code: NOT_FOUND, final: true })
  assert.equal((await arena.figure('resumes_refused_total')) - before, 4)
  await passes(one)
  await over(one)
})

test('D81, D82: an ATTACH that is played again, or is older, is stale, and the live carrier does not notice', async () => {
  const one = await served()
  const { session } = one
  const thief = await mallory()
  session.epoch = 5
  const replayed = session.resume()
  session.peer = await mallory()
  session.peer.send(replayed)
  await session.peer.next(Kind.ATTACHED)
  for (const attach of [(copy: RawSession) => copy.resume(6), (copy: RawSession) => copy.resume(2)]) {
    assert.deepEqual(refusalOf(await asked(session, thief, attach)), { code: STALE_EPOCH, final: false })
  }
  await passes(one)
  await over(one)
})

test('D85: of two that come for a session at once the higher epoch has it, in whatever order they come', async () => {
  for (const higherFirst of [true, false]) {
    const one = await served()
    const { session } = one
    const [low, high] = [await mallory(), await mallory()]
    const come = [
      () => asked(session, low, copy => copy.resume(session.epoch + 1)),
      () => asked(session, high, copy => copy.resume(session.epoch + 2)),
    ] as const
    const [first, second] = higherFirst ? [come[1](), come[0]()] : [come[0](), come[1]()]
    await first
    assert.equal(kindOf(await (higherFirst ? first : second)), Kind.ATTACHED)
    if (higherFirst) assert.deepEqual(refusalOf(await second), { code: STALE_EPOCH, final: false })
    const winner = new RawSession(high, { route: 70, id: session.id, key: session.key })
    winner.seq = session.seq
    winner.expected = session.expected
    await passes({ session: winner, socket: one.socket })
    winner.leave()
    await arena.unharmed()
  }
})

test('D86, D87, D88: a takeover waits for nothing, and what the old carrier still says or does changes nothing', async () => {
  const one = await served()
  const { session } = one
  const old = session.peer
  old.socket.pause()
  session.peer = await mallory()
  session.peer.send(session.resume())
  await session.peer.next(Kind.ATTACHED)
  const { seq } = session
  old.send(session.batch(data(1, 'from the past')))
  session.seq = seq
  await passes(one)
  old.socket.resume()
  assert.deepEqual(refusalOf(await old.next(Kind.DETACH)), { code: SUPERSEDED, final: false })
  old.socket.resetAndDestroy()
  await passes(one)
  await over(one)
})

test('D89, D90: whoever expects what was never sent ends the session, and the service sees a reset', async () => {
  const one = await served()
  const { session, socket } = one
  const ended = outcome(socket)
  const peer = await mallory()
  const attached = await asked(session, peer, copy => copy.resume(session.epoch + 1, 1_000))
  assert.equal(kindOf(attached), Kind.ATTACHED)
  assert.deepEqual(refusalOf(await peer.next(Kind.DETACH)), { code: DESYNC, final: true })
  assert.equal(await ended, 'ECONNRESET')
  await arena.unharmed()
})

test('D91, D96: what is sent again over another carrier is dialled once, and ends once', async () => {
  const session = await RawSession.create(await mallory())
  const bytes = randomBytes(10_000)
  const batch = session.batch(open(1, target('hand', 'prod', 1)), data(1, bytes), fin(1))
  session.peer.send(batch)
  const socket = await hand.accepted()
  const all = readAll(socket)
  session.peer = await mallory()
  session.peer.send(session.resume())
  await session.peer.next(Kind.ATTACHED)
  session.peer.send(batch, batch)
  assert.ok((await all).equals(bytes))
  socket.end('the answer')
  assert.equal(String(await session.read(1, 10)), 'the answer')
  assert.equal((await session.next(FrameType.FIN)).stream, 1)
  await over({ session, socket })
})

test('D97: a RESET whose carrier is gone is sent again, and the service sees one reset', async () => {
  const one = await served()
  const { session, socket } = one
  const ended = outcome(socket)
  const batch = session.batch(unit(FrameType.RESET, 1, encodeReset(13, 'gone')))
  session.peer.leave()
  session.peer = await mallory()
  session.peer.send(session.resume(), batch)
  await session.peer.next(Kind.ATTACHED)
  assert.equal(await ended, 'ECONNRESET')
  await over(one)
})

test('D93, D100: a client that has lost its key gets another session, and nothing of the old one, which is soon gone', async () => {
  const lost = await served()
  const ended = outcome(lost.socket)
  lost.session.peer.leave()
  const next = await served()
  lost.socket.write('not for you')
  await passes(next)
  assert.equal(await ended, 'ECONNRESET')
  const answer = await asked(lost.session, await mallory(), copy => copy.resume())
  assert.deepEqual(refusalOf(answer), { code: NOT_FOUND, final: true })
  await over(next)
})

test('D94: while the agent is away a resume is refused for now, and goes on when the same process is back', async () => {
  const token = await arena.token('agent', { subject: 'shaky', agents: ['shaky'] })
  const register = async (): Promise<RawPeer> => {
    const agent = await RawPeer.dial(arena.port, { path: '/v1/agent', token })
    agent.send(hello('agent', { instance: 'one' }))
    await agent.next(Kind.WELCOME)
    return agent
  }
  const client = await arena.client({ agents: ['shaky'] })
  const session = new RawSession(client)
  const resume = () => session.attach({ agent: 'shaky', instance: 'one', proof: 'p' })
  const agent = await register()
  client.send(resume())
  await agent.next(Kind.ATTACH)
  agent.leave()
  assert.equal((await session.detached()).final, false)
  client.send(resume())
  assert.deepEqual(await session.detached(), { code: AGENT_UNAVAILABLE, final: false })
  const again = await register()
  // The gateway says so by itself, to whoever has asked in vain.
  await client.next(Kind.WELCOME)
  const attach = resume()
  client.send(attach)
  const passed = await again.next(Kind.ATTACH)
  assert.deepEqual(decodeAttachment(passed).sessionId, session.id)
  assert.notEqual(routeOf(passed), 0)
  again.leave()
  await arena.unharmed()
})

test('D98: who asks for sessions without end gets its share, and an answer to each of the others', async () => {
  const peer = await mallory()
  const all = Array.from({ length: 2_000 }, (_, index) => {
    const session = new RawSession(peer, { route: index + 1 })
    return session.attach({ agent: 'home', key: session.key.toString('base64url') })
  })
  peer.send(...all)
  const answers: Buffer[] = []
  while (answers.length < all.length) {
    answers.push(await peer.find('answer', each => [Kind.ATTACHED, Kind.DETACH].some(kind => kind === kindOf(each))))
  }
  const refused = answers.filter(each => kindOf(each) === Kind.DETACH)
  assert.equal(answers.length - refused.length, 16)
  for (const each of refused) assert.deepEqual(refusalOf(each), { code: LIMIT, final: false })
  await arena.unharmed()
})

test('D92: an ATTACH whose numbers or whose JSON are cut closes the carrier with 4400', async () => {
  const one = await served()
  for (const cut of [20, 31, 33]) {
    const peer = await mallory()
    peer.send(new RawSession(peer).resume().subarray(0, cut))
    assert.equal(await peer.code(), 4400)
  }
  await passes(one)
  await over(one)
})
