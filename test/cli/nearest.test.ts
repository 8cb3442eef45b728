import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName, nearestTarget } from '../../src/cli/nearest.ts'
import type { PublishedService } from '../../src/net/published.ts'
import { parseTarget } from '../../src/net/target.ts'

const service = (service: string, namespace: string, ...ports: PublishedService['ports']): PublishedService => ({
  service,
  namespace,
  ports,
})
const services = [
  service('db', 'prod', { port: 5432, name: 'postgres', protocol: 'tcp' }),
  service('payments-api', 'prod', { port: 8080, protocol: 'tcp' }),
  service('payments-api', 'staging', { port: 8080, protocol: 'tcp' }),
  service('dns', 'kube-system', { port: 53, protocol: 'udp' }, { port: 53, protocol: 'tcp' }),
]
const nearest = (typed: string): string | undefined => nearestTarget(parseTarget(typed), services)

test('a slip in the service or the namespace is seen', () => {
  assert.equal(nearest('bd/prod:5432'), 'db/prod:5432')
  assert.equal(nearest('d/prod:5432'), 'db/prod:5432')
  assert.equal(nearest('paymnets-api/prod:8080'), 'payments-api/prod:8080')
  assert.equal(nearest('payment-api/stagin:8080'), 'payments-api/staging:8080')
  assert.equal(nearest('db/prdo:5432'), 'db/prod:5432')
  assert.equal(nearest('xy/prod:5432'), undefined)
  assert.equal(nearest('db/prd:5432'), 'db/prod:5432')
})

test('names the other way round, and another port, are seen', () => {
  assert.equal(nearest('prod/db:5432'), 'db/prod:5432')
  assert.equal(nearest('db/prod:5433'), 'db/prod:5432')
  assert.equal(nearest('dns/kube-system:5353/udp'), 'dns/kube-system:53/udp')
})

test('what is there is not corrected, also by the name of its port; what is far from all is left alone', () => {
  assert.equal(nearest('db/prod:5432'), undefined)
  assert.equal(nearest('db/prod:postgres'), undefined)
  assert.equal(nearest('grafana/monitoring:3000'), undefined)
  assert.equal(nearestTarget(parseTarget('db/prod:1'), []), undefined)
})

test('a single name finds the nearest of a list', () => {
  assert.equal(nearestName('stagng', ['prod', 'staging']), 'staging')
  assert.equal(nearestName('prod', ['prod', 'prods']), undefined)
  assert.equal(nearestName('xyz', ['prod']), undefined)
  assert.equal(nearestName('x', []), undefined)
})
