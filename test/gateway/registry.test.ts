import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLink } from '../../src/carrier/memory.ts'
import { Hop } from '../../src/gateway/hop.ts'
import { Registry } from '../../src/gateway/registry.ts'
import { VirtualClock } from '../support/clock.ts'
import { principal } from '../support/world.ts'

const agent = (subject = 'agent-of-home'): Hop =>
  new Hop(memoryLink({ clock: new VirtualClock() }).a, principal('agent', { subject }))

function instance(name: string): Hop {
  return Object.assign(agent(), { instance: name })
}

test('an agent is found by its name until it is gone', () => {
  const registry = new Registry()
  const hop = agent()
  assert.deepEqual(registry.register('home', hop), { replaced: undefined, superseded: undefined })
  assert.equal(registry.find('home'), hop)
  registry.unregister('home', hop)
  assert.deepEqual([registry.find('home'), registry.size], [undefined, 0])
})

test('a process replaces its own old carrier, whose late end then changes nothing', () => {
  const registry = new Registry()
  const [old, current] = [agent(), agent()]
  registry.register('home', old)
  assert.deepEqual(registry.register('home', current), { replaced: old, superseded: undefined })
  registry.unregister('home', old)
  assert.equal(registry.find('home'), current)
})

test('of several processes the newest gets the new sessions, and each is found for its own', () => {
  const registry = new Registry()
  const [first, second] = [instance('a'), instance('b')]
  registry.register('home', first)
  assert.deepEqual(registry.register('home', second), { replaced: undefined, superseded: first })
  assert.deepEqual(
    [registry.find('home'), registry.find('home', 'a'), registry.find('home', 'b'), registry.find('home', 'c')],
    [second, first, second, undefined],
  )
  registry.unregister('home', second)
  assert.equal(registry.find('home'), first, 'the older one takes over again')
})

test('a process that drains is found for its own sessions only, and supersedes nobody', () => {
  const registry = new Registry()
  const [first, second] = [instance('a'), instance('b')]
  registry.register('home', first)
  second.draining = true
  assert.equal(registry.register('home', second).superseded, undefined)
  assert.deepEqual([registry.find('home'), registry.find('home', 'b')], [first, second])
  first.draining = true
  assert.deepEqual([registry.find('home'), registry.visibleTo(principal('connect'))], [undefined, []])
})

test('processes of one group share the new sessions: the less loaded one gets the next', () => {
  const registry = new Registry()
  const replica = (name: string, group: string): Hop => Object.assign(instance(name), { group })
  const [first, second] = [replica('a', 'prod/agent'), replica('b', 'prod/agent')]
  registry.register('home', first)
  assert.equal(registry.register('home', second).superseded, undefined)
  second.openLeg()
  assert.equal(registry.find('home'), first)
  first.openLeg()
  first.openLeg()
  assert.equal(registry.find('home'), second)
  second.draining = true
  assert.equal(registry.find('home'), first, 'one that drains gets none')
  assert.equal(registry.find('home', 'b'), second)
})

test('a process of another group, or of none, takes the place of all of them', () => {
  const registry = new Registry()
  const replica = (name: string, group: string): Hop => Object.assign(instance(name), { group })
  const [first, second, other, alone] = [replica('a', 'g'), replica('b', 'g'), replica('c', 'h'), instance('d')]
  for (const each of [first, second]) registry.register('home', each)
  second.openLeg()
  assert.equal(registry.register('home', other).superseded, first)
  assert.equal(registry.find('home'), other)
  assert.equal(registry.register('home', alone).superseded, other)
  assert.equal(registry.register('home', instance('e')).superseded, alone, 'no group is not one group')
})

test('there are not more than sixteen processes of one name', () => {
  const registry = new Registry()
  for (let index = 0; index < 16; index++) registry.register('home', instance(`${index}`))
  assert.throws(() => registry.register('home', instance('one more')), { code: 'LIMIT' })
  registry.register('home', instance('3'))
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
