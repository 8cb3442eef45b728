/** The process that holds a session, among others of its name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLink } from '../../src/carrier/memory.ts'
import type { TunnelError } from '../../src/errors.ts'
import type { Initiator } from '../../src/mux/initiator.ts'
import { Link } from '../../src/mux/link.ts'
import { type Path, principal, World } from '../support/world.ts'

/** Another process registers under the name of the agent. */
async function rival(world: World): Promise<void> {
  const { clock, gateway } = world
  const { a, b } = memoryLink({ clock })
  gateway.accept(b, principal('agent'))
  const hello = { role: 'agent', software: 'test', instance: 'rival' } as const
  await world.settle(Link.greet(a, { clock, hello }))
}

/** The gateway was killed under a session; the rival was back before the agent. */
async function withoutHolder(): Promise<{ world: World; initiator: Initiator; client: Path; ended: string[] }> {
  const world = new World()
  const ended: string[] = []
  const { initiator } = await world.joined({ onClosed: error => ended.push(error.code) })
  initiator.session.open({})
  world.killGateway()
  await world.clock.advance(1)
  await rival(world)
  return { world, initiator, client: await world.clientPath(), ended }
}

const attempt = (world: World, initiator: Initiator, { link }: Path): Promise<string> =>
  world.settle(
    initiator.attach(link).then(
      () => 'attached',
      (error: TunnelError) => error.code,
    ),
  )

test('D94: a session waits for the process that holds it, and goes on there', async () => {
  const { world, initiator, client, ended } = await withoutHolder()
  for (let times = 0; times < 5; times++) {
    assert.equal(await attempt(world, initiator, client), 'INSTANCE_AWAY')
    await world.clock.advance(500)
  }
  await world.agentPath()
  assert.equal(await attempt(world, initiator, client), 'attached')
  assert.deepEqual([ended, initiator.session.streams.size], [[], 1])
})

test('a session whose process does not come back while another is there is over', async () => {
  const { world, initiator, client, ended } = await withoutHolder()
  await attempt(world, initiator, client)
  await world.clock.advance(10_000)
  await attempt(world, initiator, client)
  assert.deepEqual([ended, initiator.session.streams.size], [['NOT_FOUND'], 0])
})

test('an agent that drains takes no new session, and those that it holds are resumed', async () => {
  const world = new World()
  const { client, initiator } = await world.joined()
  world.acceptor.drain()
  assert.equal(await attempt(world, world.initiator(), client), 'DRAINING')
  client.carriers.cut()
  await world.clock.advance(1)
  assert.equal(await attempt(world, initiator, await world.clientPath()), 'attached')
})

test('a takeover leaves no route on the carrier that was left, though that lives on', async () => {
  const world = new World()
  const { client, initiator } = await world.joined()
  assert.equal(await attempt(world, initiator, await world.clientPath()), 'attached')
  await world.clock.advance(100)
  assert.deepEqual([world.gateway.legs, client.hop.heldLegs], [2, 0])
})
