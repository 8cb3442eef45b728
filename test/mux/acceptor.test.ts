import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import type { AcceptorOptions } from '../../src/mux/acceptor.ts'
import { resumeProof } from '../../src/mux/proof.ts'
import type { RouteHandler } from '../../src/mux/route.ts'
import { decodeDetach, encodeAttachment, Kind, kindOf } from '../../src/wire/message.ts'
import { type Path, World } from '../support/world.ts'

const key = Buffer.alloc(32, 7)
const sessionId = Buffer.alloc(16, 9)

/** Sends an ATTACH made by hand, and gives the answer: `attached`, or the code of the refusal. */
async function ask(
  world: World,
  path: Path,
  epoch: number,
  json: object,
  id = sessionId,
  expected = 0,
): Promise<string> {
  const answers: string[] = []
  const handler: RouteHandler = {
    message: message => {
      if (kindOf(message) === Kind.ATTACHED) answers.push('attached')
      if (kindOf(message) !== Kind.DETACH) return
      const { final, code, reason } = decodeDetach(message)
      answers.push(`${final ? 'final' : 'not final'} ${TunnelError.fromWire(code, reason).code}`)
    },
    drain: () => {},
    lost: () => {},
  }
  const route = path.link.openRoute(handler)
  const attachment = { epoch, sessionId: id, expected, json: { agent: 'home', maxInflight: 1_000_000, ...json } }
  route.send(encodeAttachment(Kind.ATTACH, route.id, attachment))
  await world.clock.runUntilIdle()
  return answers[0] ?? 'no answer'
}

const asKey = { key: key.toString('base64url') }
const proof = (epoch: number, of = key): object => ({ proof: resumeProof(of, sessionId, epoch).toString('base64url') })

async function prepared(acceptor: Partial<AcceptorOptions> = {}): Promise<{ world: World; client: Path }> {
  const world = new World({ acceptor })
  await world.agentPath()
  const client = await world.clientPath()
  assert.equal(await ask(world, client, 1, asKey), 'attached')
  return { world, client }
}

test('D79-D84: unknown, wrong proof, no proof and another subject get one and the same answer', async () => {
  const { world, client } = await prepared()
  const mallory = await world.clientPath({ subject: 'mallory' })
  const refused = 'final NOT_FOUND'
  assert.equal(await ask(world, client, 2, proof(2), Buffer.alloc(16, 1)), refused)
  assert.equal(await ask(world, client, 2, proof(2, Buffer.alloc(32))), refused)
  assert.equal(await ask(world, client, 2, proof(3)), refused)
  assert.equal(await ask(world, client, 2, {}), refused)
  assert.equal(await ask(world, client, 2, { proof: 7 }), refused)
  assert.equal(await ask(world, mallory, 2, proof(2)), refused)
  assert.equal(await ask(world, client, 2, proof(2)), 'attached', 'none of them used up the epoch')
})

test('D80, D83: who asks for a session in vain is told nothing, but the agent learns why', async () => {
  const seen: string[] = []
  const { world, client } = await prepared({ onRefused: (why, subject) => seen.push(`${why} ${subject}`) })
  const mallory = await world.clientPath({ subject: 'mallory' })
  await ask(world, client, 2, proof(2), Buffer.alloc(16, 1))
  await ask(world, mallory, 2, proof(3))
  await ask(world, mallory, 2, proof(2))
  assert.deepEqual(seen, ['unknown session alice', 'wrong proof mallory', 'another subject mallory'])
})

test('D81: an ATTACH that is played again leaves the carrier of the session untouched', async () => {
  const { world, client } = await prepared()
  const thief = await world.clientPath()
  assert.equal(await ask(world, client, 2, proof(2)), 'attached')
  assert.equal(await ask(world, thief, 2, proof(2)), 'not final STALE_EPOCH')
  assert.equal(world.gateway.legs, 2, 'the route of the session is still there')
  assert.equal(world.acceptor.detachedSessions, 0)
})

test('D89: whoever expects what was never sent ends the session: no gap is passed over', async () => {
  const { world, client } = await prepared()
  assert.equal(await ask(world, client, 2, proof(2), sessionId, 1_000), 'attached')
  assert.equal(world.acceptor.sessions, 0)
  assert.equal(await ask(world, client, 3, proof(3)), 'final NOT_FOUND')
})

test('D93: a session whose time is over is unknown', async () => {
  const { world, client } = await prepared({ detached: { ttlMs: 5_000, budgetBytes: 1 } })
  client.carriers.cut()
  await world.clock.advance(4_999)
  const again = await world.clientPath()
  assert.equal(await ask(world, again, 2, proof(2)), 'attached')
  again.carriers.cut()
  await world.clock.advance(5_001)
  assert.equal(await ask(world, await world.clientPath(), 3, proof(3)), 'final NOT_FOUND')
})

test('D98: of a flood of sessions one subject gets its share, and others still get theirs', async () => {
  const { world } = await prepared()
  let attached = 0
  for (let number = 0; number < 200; number += 16) {
    const path = await world.clientPath({ subject: 'greedy' })
    for (let of = 0; of < 16; of++) {
      const id = Buffer.alloc(16)
      id.writeUInt32BE(number + of + 1)
      if ((await ask(world, path, 1, asKey, id)) === 'attached') attached++
    }
  }
  assert.equal(attached, 64)
  assert.equal(await ask(world, await world.clientPath({ subject: 'bob' }), 1, asKey, Buffer.alloc(16, 3)), 'attached')
})

test('an agent that drains creates no session, and resumes those that it has', async () => {
  const { world, client } = await prepared()
  world.acceptor.drain()
  assert.equal(await ask(world, client, 1, asKey, Buffer.alloc(16, 4)), 'not final DRAINING')
  assert.equal(await ask(world, client, 2, proof(2)), 'attached')
})

test('D81, D82: an epoch that was used, or is lower, is refused and may be tried again higher', async () => {
  const { world, client } = await prepared()
  assert.equal(await ask(world, client, 1, proof(1)), 'not final STALE_EPOCH')
  assert.equal(await ask(world, client, 5, proof(5)), 'attached')
  assert.equal(await ask(world, client, 4, proof(4)), 'not final STALE_EPOCH')
  assert.equal(await ask(world, client, 5, proof(5)), 'not final STALE_EPOCH')
})

test('a session cannot be created twice under one id, whoever has the key', async () => {
  const { world, client } = await prepared()
  assert.equal(await ask(world, client, 9, asKey), 'final NOT_FOUND')
  assert.equal(world.acceptor.sessions, 1)
})

test('a key of the wrong length is refused', async () => {
  const { world, client } = await prepared()
  assert.equal(await ask(world, client, 1, { key: 'short' }, Buffer.alloc(16, 2)), 'final PROTOCOL')
  assert.equal(
    await ask(world, client, 1, { key: { toString: 1, valueOf: null } }, Buffer.alloc(16, 3)),
    'final PROTOCOL',
  )
})

test('the client cannot name its own subject', async () => {
  const { world } = await prepared()
  const mallory = await world.clientPath({ subject: 'mallory' })
  assert.equal(await ask(world, mallory, 2, { ...proof(2), subject: 'alice' }), 'final NOT_FOUND')
})

test('a session too many is refused for now', async () => {
  const world = new World({ acceptor: { maxSessions: 1 } })
  await world.agentPath()
  const client = await world.clientPath()
  assert.equal(await ask(world, client, 1, asKey), 'attached')
  assert.equal(await ask(world, client, 1, asKey, Buffer.alloc(16, 2)), 'not final LIMIT')
})
