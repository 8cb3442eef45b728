import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { Authenticator } from '../../src/gateway/auth.ts'
import { keysById } from '../../src/gateway/keys.ts'
import { OidcIssuer } from '../../src/gateway/oidc.ts'
import { parseRules } from '../../src/gateway/rules.ts'
import { TestIssuer } from '../support/issuer.ts'
import type { Scope } from '../support/tunnel.ts'
import { bearer, forge, now, claims as ownClaims, pair, part, refused } from './forge.ts'

const rules = parseRules(
  `
rules:
  - { claim: groups, is: payments, agents: [prod], allow: ['*/payments:*'] }
  - { claim: groups, is: web, agents: [prod, stage], allow: ['web/prod:80', '*/payments:*'] }
`,
  'rules.yaml',
)

async function door(scope: Scope, more: Partial<ConstructorParameters<typeof OidcIssuer>[0]> = {}) {
  const issuer = await TestIssuer.start(scope)
  issuer.claims = { sub: 'ada', groups: ['payments'] }
  const clock = { ms: 0 }
  const oidc = new OidcIssuer({
    issuer: issuer.url,
    audience: 'tunnelctl',
    scopes: ['openid'],
    rules,
    monotonicNow: () => clock.ms,
    ...more,
  })
  return { issuer, clock, at: new Authenticator({ keys: () => keysById([pair.publicJwks]), oidc, now: Date.now }) }
}

test('an ID token becomes a principal with what the rules give, all of them together', async t => {
  const { issuer, at } = await door(t)
  const one = await at.authenticate(bearer(await issuer.idToken()))
  assert.deepEqual([one.role, one.subject, one.agents], ['connect', 'ada', ['prod']])
  assert.deepEqual(
    one.allow.map(({ text }) => text),
    ['*/payments:*'],
  )
  assert.ok(Object.isFrozen(one) && Object.isFrozen(one.allow))
  const two = await at.authenticate(bearer(await issuer.idToken({ groups: ['web', 'payments', 'x'] })))
  assert.deepEqual(two.agents, ['prod', 'stage'])
  assert.deepEqual(two.allow.map(({ text }) => text).sort(), ['*/payments:*', 'web/prod:80'])
})

test('each algorithm of the list is taken, and no other', async t => {
  const { issuer, at } = await door(t)
  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
    const fresh = await door(t)
    await fresh.issuer.rotate(alg)
    assert.equal((await fresh.at.authenticate(bearer(await fresh.issuer.idToken()))).subject, 'ada')
  }
  const payload = { iss: issuer.url, aud: 'tunnelctl', sub: 'ada', iat: Date.now() / 1000, exp: Date.now() / 1000 + 60 }
  const byHand = (alg: string, sign: (input: string) => Buffer) => bearer(forge(payload, { alg, kid: 'x' }, sign))
  await refused(
    byHand('none', () => Buffer.alloc(0)),
    401,
    /not signed with|malformed|not "Bearer"/,
    at,
  )
  await refused(
    byHand('HS256', text => createHmac('sha256', 'x').update(text).digest()),
    401,
    /not signed with/,
    at,
  )
})

test('who no rule gives anything is forbidden, and what the claims say does not matter by its type', async t => {
  const { issuer, at } = await door(t)
  for (const groups of [[], ['other'], 'other', { payments: true }, null, 7, [['payments']]]) {
    await refused(bearer(await issuer.idToken({ groups })), 403, /no rule of this gateway gives you anything/, at)
  }
  assert.equal((await at.authenticate(bearer(await issuer.idToken({ groups: 'payments' })))).subject, 'ada')
})

test('issuer, audience, time and signature are checked as for every token', async t => {
  const { issuer, at } = await door(t)
  const other = await TestIssuer.start(t)
  const second = Math.floor(Date.now() / 1000)
  await refused(bearer(await other.idToken()), 401, /wrong issuer|names no key|no key with the id|not signed with/, at)
  await refused(bearer(await issuer.idToken({ aud: 'another client' })), 401, /wrong audience/, at)
  await refused(bearer(await issuer.idToken({ exp: second - 120, iat: second - 600 })), 401, /expired/, at)
  await refused(bearer(await issuer.idToken({ iat: second + 600, exp: second + 900 })), 401, /made in the future/, at)
  await refused(bearer(await issuer.idToken({ sub: undefined })), 401, /no claim "sub"/, at)
  await refused(bearer(await issuer.idToken({ sub: 'a\u202eb' })), 401, /no claim "sub"/, at)
  const [head, body, signature] = (await issuer.idToken()).split('.')
  const raised = part({ ...JSON.parse(Buffer.from(body ?? '', 'base64url').toString()), groups: ['web'] })
  await refused(bearer(`${head}.${raised}.${signature}`), 401, /signature of the token is wrong/, at)
})

test('a token of its own issuer may not pass for one of the other', async t => {
  const { issuer, at } = await door(t)
  // Signed with the operator's key, but naming the other issuer: that one's keys count.
  await refused(bearer(forge({ ...ownClaims, iss: issuer.url })), 401, /not signed with|no key with its id/, at)
  const own = new Authenticator({ keys: () => keysById([pair.publicJwks]), now: () => now })
  await refused(bearer(await issuer.idToken({ iss: 'tunnelctl' })), 401, /no key with the id/, own)
})

test('email names nobody before the issuer has verified it', async t => {
  const byEmail = parseRules(
    "{ subject: email, rules: [{ claim: email, is: a@x.org, agents: ['*'], allow: ['*/*:*'] }] }",
    'r',
  )
  const { issuer, at } = await door(t, { rules: byEmail })
  const email = 'a@x.org'
  for (const email_verified of [undefined, false, 'true', 1]) {
    await refused(bearer(await issuer.idToken({ email, email_verified })), 401, /no claim "email"/, at)
  }
  assert.equal((await at.authenticate(bearer(await issuer.idToken({ email, email_verified: true })))).subject, email)
})

test('B27: keys are fetched once, and again for one that is new, but not for each that is made up', async t => {
  const { issuer, clock, at } = await door(t)
  const fetched = () => issuer.asked.filter(path => path === '/jwks').length
  await Promise.all([1, 2, 3].map(async () => at.authenticate(bearer(await issuer.idToken()))))
  assert.equal(fetched(), 1)
  await issuer.rotate('ES256')
  clock.ms += 31_000
  assert.equal((await at.authenticate(bearer(await issuer.idToken()))).subject, 'ada')
  assert.equal(fetched(), 2)
  const stranger = await TestIssuer.start(t)
  for (let n = 0; n < 20; n++) {
    await stranger.rotate('EdDSA')
    await refused(bearer(await stranger.idToken({ iss: issuer.url })), 401, /has no key with its id/, at)
  }
  assert.equal(fetched(), 2)
})

test('an issuer that is away stops nobody whose key is known, and is said to be away to others', async t => {
  const { issuer, clock, at } = await door(t)
  const token = bearer(await issuer.idToken())
  const configuration = '/.well-known/openid-configuration'
  issuer.instead.set(configuration, [500, 'broken'])
  await refused(token, 503, /has no keys of .*: it answered with status 500/, at)
  issuer.instead.delete(configuration)
  await refused(token, 503, /it could not a moment ago/, at)
  clock.ms += 31_000
  assert.equal((await at.authenticate(token)).subject, 'ada')
  issuer.instead.set('/jwks', [200, 'no JSON'])
  clock.ms += 11 * 60_000
  assert.equal((await at.authenticate(token)).subject, 'ada')
})

for (const [what, path, answer] of [
  ['no JSON', '/jwks', 'x'],
  ['no keys', '/jwks', { keys: 7 }],
  ['too many keys', '/jwks', { keys: Array.from({ length: 101 }, () => ({})) }],
  ['more than fits', '/jwks', `{"keys":[],"x":"${'x'.repeat(300_000)}"}`],
  ['the name of another', '/.well-known/openid-configuration', { issuer: 'https://other.example' }],
  ['a file as the place of its keys', '/.well-known/openid-configuration', { jwks_uri: 'file:///etc/passwd' }],
] as const) {
  test(`an issuer that answers with ${what} gives no keys, and the gateway goes on`, async t => {
    const { issuer, clock, at } = await door(t)
    const token = bearer(await issuer.idToken())
    const whole = typeof answer === 'object' && path !== '/jwks' ? { issuer: issuer.url, ...answer } : answer
    issuer.instead.set(path, [200, whole])
    await refused(token, 503, /has no keys of/, at)
    issuer.instead.clear()
    clock.ms += 31_000
    assert.equal((await at.authenticate(token)).subject, 'ada')
  })
}
