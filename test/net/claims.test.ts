import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TunnelError } from '../../src/errors.ts'
import { claimsFromPayload, isAgentGlob, isAgentName, isSubject } from '../../src/net/claims.ts'
import { parsePattern } from '../../src/net/pattern.ts'

const connect = {
  iss: 'tunnelctl',
  aud: 'tunnelctl',
  role: 'connect',
  sub: 'alice@example.com',
  agents: ['home', 'prod-*', '*'],
  allow: ['api/prod:8080', '*/dev:*'],
  iat: 1000,
  exp: 2000,
  jti: 'one',
}
const agent = { ...connect, role: 'agent', agents: ['home'], allow: [] }

function refusal(payload: unknown): string {
  try {
    claimsFromPayload(payload)
  } catch (thrown) {
    assert.ok(thrown instanceof TunnelError && thrown.code === 'UNAUTHENTICATED', String(thrown))
    return thrown.message
  }
  return assert.fail(`accepted: ${JSON.stringify(payload)}`)
}

test('the claims of both roles come out as they went in', () => {
  assert.deepEqual(claimsFromPayload(connect), connect)
  assert.deepEqual(claimsFromPayload(agent), agent)
})

test('fields that are not known are left behind, and nothing is inherited', () => {
  const text = JSON.stringify({ ...connect, admin: true }).replace('{', '{"__proto__":{"polluted":1},')
  assert.deepEqual(claimsFromPayload(JSON.parse(text)), connect)
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
  assert.match(refusal(Object.create(connect)), /"iss"/)
})

test('an agent token without a list of patterns has an empty one', () => {
  const { allow: _, ...without } = agent
  assert.deepEqual(claimsFromPayload(without), agent)
})

test('each wrong claim is refused by its name and without its value', () => {
  const many = (count: number, value: string) => Array.from({ length: count }, () => value)
  const table: [string, unknown[]][] = [
    ['iss', [undefined, 'SECRET', ['tunnelctl'], null]],
    ['aud', [undefined, 'SECRET', ['tunnelctl', 'SECRET']]],
    ['role', [undefined, 'SECRET', 'Agent', 'admin', ['agent'], 1]],
    ['sub', [undefined, '', 7, 'a'.repeat(257), 'SECRET\n', '\u202eSECRET', 'SECRET\u2028', '\ud800', 'a\x7f', 'a\0']],
    ['agents', [undefined, 'home', [], [1], ['SECRET'], [''], ['a.b'], ['-a'], [['a']], many(65, 'a'), { length: 1 }]],
    ['allow', [undefined, [], '*/*:*', [1], ['SECRET'], ['*'], ['api/prod:0'], many(257, 'a/b:1'), [null]]],
    ['exp', [undefined, '2000', Number.NaN, Number.POSITIVE_INFINITY, -1, 1000, 999, 1e300, null]],
    ['iat', [undefined, '1000', -1, Number.NaN, 1e300]],
    ['jti', [undefined, '', 7, 'a'.repeat(257), 'SECRET\r']],
  ]
  for (const [name, values] of table) {
    for (const value of values) {
      const message = refusal({ ...connect, [name]: value })
      assert.ok(message.includes(`"${name}"`), `${name}: ${message}`)
      assert.ok(!message.includes('SECRET'), message)
    }
  }
})

test('an agent token names one agent exactly and allows nothing', () => {
  assert.match(refusal({ ...agent, agents: [] }), /"agents"/)
  assert.match(refusal({ ...agent, agents: ['a', 'b'] }), /"agents"/)
  assert.match(refusal({ ...agent, agents: ['*'] }), /"agents"/)
  assert.match(refusal({ ...agent, agents: ['a*'] }), /"agents"/)
  assert.match(refusal({ ...agent, allow: ['*/*:*'] }), /"allow"/)
})

test('the bounds themselves are inside', () => {
  const agents = Array.from({ length: 64 }, (_, i) => `a${i}`)
  const allow = Array.from({ length: 256 }, (_, i) => `s${i}/n:1`)
  const sub = 'é'.repeat(256)
  assert.deepEqual(claimsFromPayload({ ...connect, agents, allow, sub }), { ...connect, agents, allow, sub })
})

test('what is no object has no claims', () => {
  for (const value of [undefined, null, 1, 'text', true, [], [connect]]) refusal(value)
})

test('any JSON value gives good claims or UNAUTHENTICATED', () => {
  const nearly = fc.tuple(fc.constantFrom(connect, agent), fc.constantFrom(...Object.keys(connect)), fc.jsonValue())
  const payload = fc.oneof(
    fc.jsonValue(),
    nearly.map(([claims, name, value]) => ({ ...claims, [name]: value })),
  )
  fc.assert(
    fc.property(payload, value => {
      try {
        const claims = claimsFromPayload(value)
        assert.ok(isSubject(claims.sub) && claims.exp > claims.iat)
        assert.ok(claims.agents.length >= 1 && claims.agents.every(claims.role === 'agent' ? isAgentName : isAgentGlob))
        claims.allow.forEach(parsePattern)
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'UNAUTHENTICATED', String(thrown))
      }
    }),
    { numRuns: 500 },
  )
})
