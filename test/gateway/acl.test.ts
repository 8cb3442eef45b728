import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideOpen } from '../../src/gateway/acl.ts'
import { principalFromClaims } from '../../src/gateway/principal.ts'
import type { Claims } from '../../src/net/claims.ts'
import { measureTarget } from '../../src/net/measure.ts'
import { parseTarget } from '../../src/net/target.ts'

const claims: Claims = {
  iss: 'tunnelctl',
  aud: 'tunnelctl',
  role: 'connect',
  sub: 'alice',
  agents: ['home'],
  allow: ['api/prod:8080', 'db/prod:5000-5999/tcp'],
  iat: 1000,
  exp: 2000,
  jti: 'one',
}
const connect = principalFromClaims(claims)

test('an OPEN is denied unless a pattern allows it, and the answer names the pattern', () => {
  const decide = (text: string) => decideOpen(connect, parseTarget(text))
  assert.deepEqual(decide('api/prod:8080'), { allowed: true, rule: 'api/prod:8080' })
  assert.deepEqual(decide('db/prod:5432'), { allowed: true, rule: 'db/prod:5000-5999/tcp' })
  for (const text of ['db/prod:5432/udp', 'db/prod:6000', 'api/dev:8080', 'api/prod:http', 'other/prod:8080']) {
    assert.deepEqual(decide(text), { allowed: false }, text)
  }
})

test('whoever may use an agent may measure the path to it, and nothing else goes by that name', () => {
  assert.equal(decideOpen(connect, measureTarget).allowed, true)
  for (const text of ['0/0:1', '0/prod:measure', 'api/0:measure']) {
    assert.equal(decideOpen(connect, parseTarget(text)).allowed, false, text)
  }
})

test('an agent opens nothing, even with patterns in its token', () => {
  const forged = principalFromClaims({ ...claims, role: 'agent', agents: ['home'], allow: ['*/*:*'] })
  assert.deepEqual(decideOpen(forged, parseTarget('api/prod:8080')), { allowed: false })
  assert.deepEqual(decideOpen(forged, measureTarget), { allowed: false })
})
