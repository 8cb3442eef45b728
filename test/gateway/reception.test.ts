import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLink } from '../../src/carrier/memory.ts'
import { Link } from '../../src/mux/link.ts'
import { AGENT, principal, World } from '../support/world.ts'

/** An end that writes down what the gateway tells it, with the time. */
async function end(world: World, role: 'connect' | 'agent', instance: string): Promise<{ link: Link; told: string[] }> {
  const { clock, gateway } = world
  const { a, b } = memoryLink({ clock })
  gateway.accept(b, principal(role))
  const told: string[] = []
  const link = await world.settle(
    Link.greet(a, {
      clock,
      hello: { role, software: 'test', ...(role === 'agent' && { instance }) },
      onDrain: (_link, afterMs) => told.push(`leave after ${afterMs}`),
      onNews: ({ superseded, agents }) => told.push(`superseded by ${superseded}, agents ${agents}`),
    }),
  )
  return { link, told }
}

test('a process is told when another of its name gets the new sessions, and not when it changes its own carrier', async () => {
  const world = new World()
  const first = await end(world, 'agent', 'first')
  const again = await end(world, 'agent', 'first')
  const second = await end(world, 'agent', 'second')
  await world.clock.runUntilIdle()
  assert.deepEqual([first.told, again.told, second.told], [[], ['superseded by second, agents undefined'], []])
})

test('a client that asked for an agent in vain is told when it comes, and no other client is', async () => {
  const world = new World()
  const waiting = await end(world, 'connect', '')
  const other = await end(world, 'connect', '')
  await assert.rejects(world.settle(world.initiator().attach(waiting.link)), { code: 'AGENT_UNAVAILABLE' })
  await end(world, 'agent', 'first')
  await world.clock.runUntilIdle()
  assert.deepEqual([waiting.told, other.told], [[`superseded by undefined, agents ${AGENT}`], []])
})

test('in a drain every end is asked to leave, agents before clients, and those that stay are closed', async () => {
  const world = new World()
  const client = await end(world, 'connect', '')
  const agent = await end(world, 'agent', 'first')
  const { reception } = world.gateway
  let drained = false
  void reception.drain(10_000, new AbortController().signal).then(() => {
    drained = true
  })
  await world.clock.advance(100)
  const [agentLeaves = Number.NaN] = agent.told.map(each => Number(each.split(' ').at(-1)))
  const [clientLeaves = Number.NaN] = client.told.map(each => Number(each.split(' ').at(-1)))
  assert.ok(agentLeaves < clientLeaves && clientLeaves < 10_000, `${agentLeaves} and ${clientLeaves}`)
  agent.link.close('moved')
  await world.clock.advance(9_000)
  assert.equal(drained, false)
  await world.clock.advance(1_000)
  assert.equal(drained, true)
  reception.close()
  assert.equal((await world.settle(client.link.ended)).code, 'DRAINING')
  assert.equal(reception.carriers, 0)
})

test('a drain ends as soon as everybody has left', async () => {
  const world = new World()
  const client = await end(world, 'connect', '')
  const drained = world.gateway.reception.drain(10_000, new AbortController().signal)
  client.link.close('moved')
  await world.settle(drained)
  assert.ok(world.clock.now() < 1_000)
})
