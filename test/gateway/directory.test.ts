import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CatalogueChange, catalogueMessages, changeMessages } from '../../src/agent/publish.ts'
import type { Carrier } from '../../src/carrier/carrier.ts'
import { directoryFor } from '../../src/gateway/directory.ts'
import { Hop } from '../../src/gateway/hop.ts'
import { Published } from '../../src/gateway/published.ts'
import { Registry } from '../../src/gateway/registry.ts'
import { parsePattern } from '../../src/net/pattern.ts'
import type { PublishedService } from '../../src/net/published.ts'
import { decodeJson, HEADER_BYTES, MAX_JSON_BYTES } from '../../src/wire/message.ts'
import { principal } from '../support/world.ts'

const service = (name: string, namespace: string, ...ports: PublishedService['ports']): PublishedService => ({
  service: name,
  namespace,
  ports,
})
const tcp = (port: number | string, name?: string) => ({ port, ...(name && { name }), protocol: 'tcp' as const })

const db = service('db', 'prod', tcp(5432, 'postgres'), tcp(9187, 'metrics'))
const web = service('web', 'dev', tcp('http'))
const dns = service('dns', 'prod', { port: 53, protocol: 'udp' })

const namesOf = (published: Published): string[] => [...published.services].map(({ service: name }) => name)

test('what is told adds up, replaces, and is taken back', () => {
  const published = new Published()
  published.apply({ set: [db, web] })
  published.apply({ set: [{ ...db, ports: [tcp(1)] }, dns], remove: ['web/dev', 'nobody/here'] })
  assert.deepEqual(namesOf(published), ['db', 'dns'])
  assert.deepEqual([...published.services][0]?.ports, [tcp(1)])
  published.apply({ reset: true, set: [web] })
  assert.deepEqual(namesOf(published), ['web'])
})

test('what cannot be read counts as absent, and the rest holds', () => {
  const published = new Published()
  for (const json of [{}, { set: 5, remove: 'x' }, { set: [null, 7, {}, { service: 'a' }] }]) published.apply(json)
  published.apply({ set: [{ service: 'Bad Name', namespace: 'prod', ports: [] }] })
  const ports = [
    tcp(80),
    { port: 0, protocol: 'tcp' },
    { port: 5, protocol: 'x' },
    { port: '\x1b[0m', protocol: 'tcp' },
  ]
  published.apply({
    set: [{ service: 'a', namespace: 'b', ports: [...ports, { ...tcp(81), name: 9 }, null], more: 1 }],
  })
  assert.deepEqual([...published.services], [service('a', 'b', tcp(80), tcp(81))])
})

test('ten thousand services are kept of one agent, and known ones can still change', () => {
  const published = new Published()
  for (let index = 0; index < 10_001; index++) published.apply({ set: [service(`s${index}`, 'x', tcp(1))] })
  assert.equal(namesOf(published).length, 10_000)
  published.apply({ set: [service('s5', 'x', tcp(2)), service('late', 'x', tcp(1))] })
  assert.equal(namesOf(published).length, 10_000)
  assert.deepEqual([...published.services][5]?.ports, [tcp(2)])
})

test('since when a list is old goes with it, until it is new again or another list comes', () => {
  const published = new Published()
  const told = (change: CatalogueChange) => {
    for (const message of changeMessages(change)) published.apply(decodeJson(message))
    return published.staleSince
  }
  for (const message of catalogueMessages({ services: [db], staleSince: 5 })) published.apply(decodeJson(message))
  assert.equal(published.staleSince, 5)
  assert.equal(told({ set: [db], remove: [] }), 5)
  assert.equal(told({ set: [], remove: [], staleSince: null }), undefined)
  assert.equal(told({ set: [], remove: [], staleSince: 7 }), 7)
  assert.deepEqual(namesOf(published), ['db'])
  const registry = registered(db)
  registry.find('home')?.published.apply({ staleSince: 7 })
  assert.equal(seen(registry, '*/*:*')[0]?.staleSince, 7)
  for (const wrong of ['7', -1, 1e300, {}, true]) published.apply({ staleSince: wrong })
  assert.equal(published.staleSince, 7)
  for (const message of catalogueMessages({ services: [] })) published.apply(decodeJson(message))
  assert.equal(published.staleSince, undefined)
})

test('a long catalogue goes in messages that each fit, and arrives whole', () => {
  const all = Array.from({ length: 500 }, (_, index) => service(`service-${index}`, 'prod', tcp(5432, 'postgres')))
  const published = new Published()
  published.apply({ set: [db] })
  const messages = [...catalogueMessages({ services: all })]
  assert.ok(messages.length > 5)
  for (const message of messages) {
    assert.ok(message.length <= HEADER_BYTES + MAX_JSON_BYTES)
    published.apply(decodeJson(message))
  }
  assert.deepEqual([...published.services], all)
  published.apply(decodeJson([...catalogueMessages({ services: [] })][0] as Buffer))
  assert.deepEqual(namesOf(published), [])
})

function registered(...services: PublishedService[]): Registry {
  const registry = new Registry()
  const hop = new Hop({} as Carrier, principal('agent'))
  hop.published.apply({ set: services })
  registry.register('home', hop)
  return registry
}

const seen = (registry: Registry, ...allow: string[]) =>
  directoryFor(registry, principal('connect', { allow: allow.map(pattern => parsePattern(pattern)) }))

test('a client sees the ports that its token allows, by number or by name, and no service without one', () => {
  const registry = registered(web, db, dns)
  assert.deepEqual(seen(registry, '*/*:*/tcp')[0]?.services, [web, db])
  assert.deepEqual(seen(registry, '*/*:*/udp')[0]?.services, [dns])
  assert.deepEqual(seen(registry, 'db/prod:5432')[0]?.services, [service('db', 'prod', tcp(5432, 'postgres'))])
  assert.deepEqual(seen(registry, 'db/*:metrics')[0]?.services, [service('db', 'prod', tcp(9187, 'metrics'))])
  assert.deepEqual(seen(registry, 'other/prod:*')[0]?.services, [])
})

test('agents that the token does not name are not there for it', () => {
  assert.deepEqual(directoryFor(registered(db), principal('connect', { agents: ['office'] })), [])
})
