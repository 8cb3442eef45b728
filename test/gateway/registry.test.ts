import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLink } from '../../src/carrier/memory.ts'
import { Hop } from '../../src/gateway/hop.ts'
import { Registry } from '../../src/gateway/registry.ts'
import { VirtualClock } from '../support/clock.ts'
import { principal } from '../support/world.ts'

const agent = (subject = 'agent-of-home'): Hop =>
  new Hop(memoryLink({ clock: new VirtualClock() }).a, principal('agent', { subject }))

test('an agent is found by its name until it is gone', () => {
  const registry = new Registry()
  const hop = agent()
  assert.equal(registry.register('home', hop), undefined)
  assert.equal(registry.find('home'), hop)
  registry.unregister('home', hop)
  assert.deepEqual([registry.find('home'), registry.size], [undefined, 0])
})

test('the same subject replaces its old carrier, whose late end then changes nothing', () => {
  const registry = new Registry()
  const [old, current] = [agent(), agent()]
  registry.register('home', old)
  assert.equal(registry.register('home', current), old)
  registry.unregister('home', old)
  assert.equal(registry.find('home'), current)
})

test('another subject does not get the name, until it is free', () => {
  const registry = new Registry()
  const holder = agent()
  registry.register('home', holder)
  assert.throws(() => registry.register('home', agent('thief')), { code: 'FORBIDDEN' })
  assert.equal(registry.find('home'), holder)
  registry.unregister('home', holder)
  registry.register('home', agent('heir'))
})

test('a principal sees the agents that its token allows, sorted', () => {
  const registry = new Registry()
  for (const name of ['prod-b', 'dev', 'prod-a']) registry.register(name, agent())
  const visible = (...agents: string[]) => registry.visibleTo(principal('connect', { agents }))
  assert.deepEqual(visible('prod-*'), ['prod-a', 'prod-b'])
  assert.deepEqual(visible('*'), ['dev', 'prod-a', 'prod-b'])
  assert.deepEqual(visible('prod'), [])
})
