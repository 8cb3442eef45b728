import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import type { Initiator } from '../../src/mux/initiator.ts'
import { target, World } from '../support/world.ts'

/** Writes, and says what arrived at the agent's end. */
async function echoes(world: World, { session }: Initiator): Promise<void> {
  const stream = session.open(target)
  stream.end('hello')
  let answer = ''
  stream.on('data', chunk => {
    answer += String(chunk)
  })
  await world.clock.advance(1_000)
  assert.equal(answer, 'hello')
}

const echoing = (): World =>
  new World({
    acceptor: {
      onOpen: stream => {
        stream.accept(80)
        stream.pipe(stream)
      },
    },
  })

test('a session is created, used, resumed over another carrier, and ended at both ends', async () => {
  const world = echoing()
  const { client, initiator } = await world.joined()
  await echoes(world, initiator)
  client.carriers.cut()
  await world.clock.advance(1)
  assert.equal(initiator.session.state, 'detached')
  const again = await world.clientPath()
  await world.settle(initiator.attach(again.link))
  await echoes(world, initiator)
  assert.deepEqual([world.acceptor.sessions, world.gateway.legs], [1, 2])
  initiator.close(new TunnelError('SESSION_CLOSED', 'done'))
  await world.clock.runUntilIdle()
  assert.deepEqual([world.acceptor.sessions, world.gateway.legs], [0, 0])
  assert.equal(world.clock.timers, 0)
})

test('D86, D87, D88: a takeover waits for nothing, and the old carrier delivers nothing afterwards', async () => {
  const world = echoing()
  const { client, initiator } = await world.joined()
  const stream = initiator.session.open(target)
  let answer = ''
  stream.on('data', chunk => {
    answer += String(chunk)
  })
  client.carriers.freeze()
  stream.write('one ')
  await world.clock.advance(100)
  const second = await world.clientPath()
  await world.settle(initiator.attach(second.link))
  stream.write('two')
  await world.clock.advance(100)
  assert.equal(answer, 'one two')
  client.carriers.thaw()
  await world.clock.advance(100)
  client.carriers.cut()
  await world.clock.advance(100)
  assert.equal(initiator.session.state, 'live')
  stream.end('!')
  await world.clock.advance(100)
  assert.equal(answer, 'one two!')
})

test('D85: of two attempts under way the higher epoch wins, in whatever order the answers come', async () => {
  const world = echoing()
  await world.agentPath()
  const first = await world.clientPath()
  const second = await world.clientPath()
  const initiator = world.initiator()
  await world.settle(initiator.attach(first.link))
  first.carriers.cut()
  const slow = await world.clientPath()
  const attempt = initiator.attach(slow.link)
  const rejected = assert.rejects(attempt, { code: 'STALE_EPOCH' })
  await world.clock.turn()
  await world.clock.turn()
  slow.carriers.freeze()
  await world.settle(initiator.attach(second.link))
  slow.carriers.thaw()
  await world.clock.runUntilIdle()
  await rejected
  assert.equal(initiator.session.state, 'live')
  await echoes(world, initiator)
})

test('a first ATTACH that never reached the agent loses nothing: the session is created anew', async () => {
  const world = echoing()
  const agent = await world.agentPath()
  const client = await world.clientPath()
  const initiator = world.initiator()
  agent.carriers.blackhole()
  await assert.rejects(world.settle(initiator.attach(client.link)), { code: 'AGENT_SILENT' })
  await world.agentPath()
  await assert.rejects(world.settle(initiator.attach(client.link)), { code: 'NOT_FOUND', retryable: true })
  await world.settle(initiator.attach(client.link))
  await echoes(world, initiator)
})

test('an ATTACHED that is lost loses nothing: the next attempt proves the key', async () => {
  const world = echoing()
  await world.agentPath()
  const client = await world.clientPath()
  const initiator = world.initiator()
  const attempt = initiator.attach(client.link)
  const rejected = assert.rejects(attempt, { code: 'GATEWAY_UNREACHABLE' })
  while (world.acceptor.sessions === 0) world.clock.turn()
  client.carriers.cut()
  await world.clock.runUntilIdle()
  await rejected
  const again = await world.clientPath()
  await world.settle(initiator.attach(again.link))
  assert.equal(world.acceptor.sessions, 1)
  await echoes(world, initiator)
})

test('an agent that forgot the session ends it: its streams are reset, and no later attach revives it', async () => {
  const world = echoing()
  const { client, initiator } = await world.joined()
  const stream = initiator.session.open(target)
  const codes: string[] = []
  stream.on('error', error => codes.push((error as TunnelError).code))
  client.carriers.cut()
  await world.clock.advance(11 * 60_000)
  assert.equal(world.acceptor.sessions, 0, 'the time of a session without a carrier is up')
  const again = await world.clientPath()
  await assert.rejects(world.settle(initiator.attach(again.link)), { code: 'NOT_FOUND', retryable: false })
  assert.deepEqual([initiator.session.state, codes], ['closed', ['NOT_FOUND']])
})

test('a resume in time stops the expiry', async () => {
  const world = echoing()
  const { client, initiator } = await world.joined()
  client.carriers.cut()
  await world.clock.advance(9 * 60_000)
  const again = await world.clientPath()
  await world.settle(initiator.attach(again.link))
  await world.clock.advance(20 * 60_000)
  await echoes(world, initiator)
})

test('an attempt that is given up leaves no route at the gateway, and a late answer does not attach', async () => {
  const world = echoing()
  const agent = await world.agentPath()
  const client = await world.clientPath()
  const initiator = world.initiator()
  agent.carriers.freeze()
  await assert.rejects(world.settle(initiator.attach(client.link)), { code: 'AGENT_SILENT' })
  await world.clock.runUntilIdle()
  assert.equal(world.gateway.legs, 0)
  agent.carriers.thaw()
  await world.clock.runUntilIdle()
  assert.equal(initiator.session.state, 'detached')
  await world.settle(initiator.attach(client.link))
  await echoes(world, initiator)
})

test('a session that ends while its attach is under way stays ended, and the agent is told', async () => {
  const world = echoing()
  await world.agentPath()
  const client = await world.clientPath()
  const initiator = world.initiator()
  const rejected = assert.rejects(initiator.attach(client.link), { code: 'SESSION_CLOSED' })
  initiator.close(new TunnelError('SESSION_CLOSED', 'done'))
  await world.clock.runUntilIdle()
  await rejected
  assert.deepEqual([initiator.session.state, world.acceptor.sessions, world.gateway.legs], ['closed', 0, 0])
  assert.equal(world.clock.timers, 0)
})

test('an attach over a carrier that has just died fails at once', async () => {
  const world = new World()
  const client = await world.clientPath()
  client.carriers.cut()
  const initiator = world.initiator()
  const rejected = assert.rejects(initiator.attach(client.link), { code: 'GATEWAY_UNREACHABLE' })
  await world.clock.runUntilIdle()
  await rejected
  assert.equal(world.clock.timers, 0)
})

test('D94: an unknown or forbidden agent does not cost the session', async () => {
  const world = echoing()
  const client = await world.clientPath()
  const initiator = world.initiator()
  await assert.rejects(world.settle(initiator.attach(client.link)), { code: 'AGENT_UNAVAILABLE', retryable: true })
  await world.agentPath()
  await world.settle(initiator.attach(client.link))
  await echoes(world, initiator)
})

test('D100: two sessions of one client do not mix', async () => {
  const world = echoing()
  const { client, initiator } = await world.joined()
  const other = world.initiator()
  await world.settle(other.attach(client.link))
  await Promise.all([echoes(world, initiator), echoes(world, other)])
  assert.equal(world.acceptor.sessions, 2)
})

test('a killed gateway loses nothing', async () => {
  const world = echoing()
  const { initiator } = await world.joined()
  const stream = initiator.session.open(target)
  let answer = ''
  stream.on('data', chunk => {
    answer += String(chunk)
  })
  stream.write('before, ')
  await world.clock.turn()
  world.killGateway()
  stream.end('after')
  await world.clock.advance(10)
  await world.agentPath()
  const client = await world.clientPath()
  await world.settle(initiator.attach(client.link))
  await world.clock.advance(100)
  assert.equal(answer, 'before, after')
})
