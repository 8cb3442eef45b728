/** What a later WELCOME tells. */
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
