import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayUseAgent, principalFromClaims, requireRole } from '../../src/gateway/principal.ts'
import type { Claims } from '../../src/net/claims.ts'

const connectClaims: Claims = {
  iss: 'tunnelctl',
  aud: 'tunnelctl',
  role: 'connect',
  sub: 'alice',
  agents: ['home', 'prod-*'],
  allow: ['api/prod:8080', 'db/prod:5000-5999/tcp'],
  iat: 1000,
  exp: 2000,
  jti: 'one',
}
const connect = principalFromClaims(connectClaims)
const agent = principalFromClaims({ ...connectClaims, role: 'agent', agents: ['home'], allow: [] })

test('a principal holds what its token says, times in milliseconds', () => {
  const { allow, ...rest } = connect
  assert.deepEqual(rest, {
    role: 'connect',
    subject: 'alice',
    agents: ['home', 'prod-*'],
    expiresAt: 2_000_000,
    tokenId: 'one',
  })
  assert.deepEqual(
    allow.map(pattern => pattern.text),
    connectClaims.allow,
  )
})

test('nothing in a principal can be changed, and it does not share the lists of its claims', () => {
  const isDeepFrozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isDeepFrozen))
  assert.ok(isDeepFrozen(connect) && isDeepFrozen(agent))
  const agents = ['home']
  const principal = principalFromClaims({ ...connectClaims, agents })
  agents.push('other')
  assert.ok(!mayUseAgent(principal, 'other'))
})

test('a connect principal may use the agents that its globs match', () => {
  assert.ok(mayUseAgent(connect, 'home') && mayUseAgent(connect, 'prod-eu'))
  for (const name of ['hom', 'home2', 'prod', 'dev-prod-eu', '', 'HOME', 'prod-*', 'prod-.', 'home\n']) {
    assert.ok(!mayUseAgent(connect, name), JSON.stringify(name))
  }
  const all = principalFromClaims({ ...connectClaims, agents: ['*'] })
  assert.ok(mayUseAgent(all, 'anything'))
  assert.ok(!mayUseAgent(all, 'no such name') && !mayUseAgent(all, '__proto__') && !mayUseAgent(all, ''))
})

test('an agent principal is its own name only', () => {
  assert.ok(mayUseAgent(agent, 'home'))
  assert.ok(!mayUseAgent(agent, 'prod-eu') && !mayUseAgent(agent, '*'))
  const forged = principalFromClaims({ ...connectClaims, role: 'agent', agents: ['*'] })
  assert.ok(!mayUseAgent(forged, 'home'))
})

test('a token for one role opens no door of the other', () => {
  requireRole(connect, 'connect')
  requireRole(agent, 'agent')
  assert.throws(() => requireRole(connect, 'agent'), { code: 'FORBIDDEN', message: /role connect, not for role agent/ })
  assert.throws(() => requireRole(agent, 'connect'), { code: 'FORBIDDEN' })
})
