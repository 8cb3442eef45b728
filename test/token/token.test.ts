import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { TunnelError } from '../../src/errors.ts'
import { claimsFromPayload } from '../../src/net/claims.ts'
import { generateKeyPair } from '../../src/token/keys.ts'
import { createToken, inspectToken, type TokenRequest } from '../../src/token/token.ts'

const now = 1_700_000_000_500
const hour = 3_600_000
const { privateJwk, publicJwks } = await generateKeyPair()
const connect: TokenRequest = {
  role: 'connect',
  subject: 'alice',
  agents: ['home', 'prod-*'],
  allow: ['api/prod:8080'],
  ttlMs: 8 * hour,
  now,
}
const agent: TokenRequest = { ...connect, role: 'agent', subject: 'cluster', agents: ['home'], allow: [] }

test('any JWT library can verify a token with the public half alone', async () => {
  const token = await createToken(privateJwk, connect)
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(publicJwks), {
    currentDate: new Date(now),
  })
  assert.deepEqual(protectedHeader, { alg: 'EdDSA', typ: 'JWT', kid: privateJwk.kid })
  const { jti, ...claims } = payload
  assert.deepEqual(claims, {
    iss: 'tunnelctl',
    aud: 'tunnelctl',
    role: 'connect',
    sub: 'alice',
    agents: ['home', 'prod-*'],
    allow: ['api/prod:8080'],
    iat: 1_700_000_000,
    exp: 1_700_028_800,
  })
  assert.match(jti ?? '', /^[0-9a-f-]{36}$/)
})

test('a lifetime is rounded up to whole seconds, so that the shortest token is one', async () => {
  const { claims } = inspectToken(await createToken(privateJwk, { ...agent, ttlMs: 1 }), now)
  assert.deepEqual([claims.iat, claims.exp], [1_700_000_000, 1_700_000_001])
})

test('two tokens of the same request are told apart by their ids', async () => {
  const idOf = async () => inspectToken(await createToken(privateJwk, agent), now).claims.jti
  assert.notEqual(await idOf(), await idOf())
})

test('a wrong request is refused with what is wrong', async () => {
  const table: [Partial<TokenRequest>, RegExp][] = [
    [{ subject: '' }, /subject/],
    [{ subject: 'a\nb' }, /subject/],
    [{ subject: 'a'.repeat(257) }, /subject/],
    [{ agents: [] }, /at least one agent/],
    [{ agents: ['Prod'] }, /"Prod" is not the name of an agent/],
    [{ agents: ['a.b'] }, /"a\.b"/],
    [{ agents: Array.from({ length: 65 }, () => 'a') }, /at most 64/],
    [{ allow: [] }, /at least one pattern/],
    [{ allow: ['api/prod'] }, /malformed pattern "api\/prod"/],
    [{ allow: ['api/prod:5000-'] }, /malformed pattern/],
    [{ allow: Array.from({ length: 257 }, () => 'a/b:1') }, /at most 256/],
    [{ ttlMs: 0 }, /lifetime is 0/],
    [{ ttlMs: -1 }, /lifetime is 0/],
    [{ ttlMs: Number.NaN }, /lifetime/],
    [{ ttlMs: Number.MAX_SAFE_INTEGER }, /too long/],
    [{ role: 'agent', allow: [], agents: [] }, /exactly one agent/],
    [{ role: 'agent', allow: [], agents: ['a', 'b'] }, /exactly one agent/],
    [{ role: 'agent', allow: [], agents: ['*'] }, /"\*" is not the name/],
    [{ role: 'agent', agents: ['a'] }, /takes no patterns/],
  ]
  for (const [part, why] of table) {
    await assert.rejects(createToken(privateJwk, { ...connect, ...part }), { code: 'USAGE', message: why })
  }
})

test('a token that no gateway would take for its size is not made', async () => {
  const allow = Array.from({ length: 256 }, (_, i) => `${'s'.repeat(50)}${i}/namespace:1`)
  await assert.rejects(createToken(privateJwk, { ...connect, allow }), { code: 'USAGE', message: /8192 bytes/ })
})

test('whatever is accepted at creation has claims that a gateway takes, however short it lives', async () => {
  const name = fc.stringMatching(/^[a-z0-9*-]{1,8}$/)
  const request = fc.record({
    role: fc.constantFrom('connect' as const, 'agent' as const),
    subject: fc.oneof(fc.string({ minLength: 1, maxLength: 5 }), fc.string({ unit: 'binary', maxLength: 5 })),
    agents: fc.array(name, { maxLength: 3 }),
    allow: fc.array(fc.stringMatching(/^[a-z*-]{1,3}\/[a-z*-]{1,3}:[0-9a-z*-]{1,4}$/), { maxLength: 2 }),
    ttlMs: fc.integer({ min: 0, max: 1e6 }),
    now: fc.integer({ min: 0, max: 2e12 }),
  })
  let made = 0
  await fc.assert(
    fc.asyncProperty(request, async wish => {
      try {
        const { claims } = inspectToken(await createToken(privateJwk, wish), wish.now)
        claimsFromPayload(claims)
        made++
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'USAGE', String(thrown))
      }
    }),
    // Most wishes are refused: these two are not.
    { numRuns: 500, examples: [[{ ...connect, now: 0 }], [{ ...agent, now: 0 }]] },
  )
  assert.ok(made >= 2)
})

test('inspect shows header, claims and whether the token has expired', async () => {
  const token = await createToken(privateJwk, agent)
  const report = inspectToken(token, now)
  assert.equal(report.header.kid, privateJwk.kid)
  assert.equal(report.claims.sub, 'cluster')
  assert.equal(report.expired, false)
  assert.equal(report.expiresAt, 1_700_028_800_000)
  assert.equal(report.problem, undefined)
  assert.equal(inspectToken(token, 1_700_028_800_000).expired, true)
})

test('inspect shows a foreign token too, and why a gateway would refuse it', () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const foreign = inspectToken(`${part({ alg: 'RS256' })}.${part({ iss: 'other', exp: 1e300 })}.AAAA`, now)
  assert.deepEqual(foreign, {
    header: { alg: 'RS256' },
    claims: { iss: 'other', exp: 1e300 },
    expired: false,
    problem: 'the claim "iss" of the token must be tunnelctl',
  })
})

test('what is no JWT is said so, without showing it', () => {
  const part = (text: string) => Buffer.from(text).toString('base64url')
  for (const token of [
    '',
    'SECRETSECRET',
    'SECRET.SECRET.SECRET',
    `${part('{"alg":"x"}')}.${part('[]')}.`,
    'a.b.c.d.e',
  ]) {
    assert.throws(
      () => inspectToken(token, now),
      (thrown: unknown) =>
        thrown instanceof TunnelError &&
        thrown.code === 'TOKEN_FILE' &&
        thrown.cause === undefined &&
        !thrown.message.includes('SECRET'),
    )
  }
})
