import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JWK } from 'jose'
import { Authenticator, statusOf } from '../../src/gateway/auth.ts'
import { keysById } from '../../src/gateway/keys.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import { createToken } from '../../src/token/token.ts'
import {
  authenticator,
  bearer,
  claims,
  ed25519,
  forge,
  header,
  hour,
  iat,
  now,
  pair,
  part,
  refusal,
  refused,
  stranger,
} from './forge.ts'

test('a good token becomes a frozen principal', async () => {
  const request = { role: 'connect' as const, subject: 'alice', agents: ['home'], allow: ['api/prod:8080'] }
  const token = await createToken(pair.privateJwk, { ...request, ttlMs: 1000 * hour, now })
  const principal = await authenticator.authenticate(bearer(token))
  assert.ok(Object.isFrozen(principal))
  assert.equal(principal.subject, 'alice')
  assert.equal(principal.role, 'connect')
  assert.equal(principal.expiresAt, now + 1000 * hour)
  assert.match(principal.tokenId, /^[0-9a-f-]{36}$/)
})

test('several key files serve side by side, so that keys can be rotated', async () => {
  const both = new Authenticator({ keys: () => keysById([pair.publicJwks, stranger.publicJwks]), now: () => now })
  const other = forge(claims, { ...header, kid: stranger.privateJwk.kid }, input => ed25519(input, stranger.privateJwk))
  assert.equal((await both.authenticate(bearer(other))).subject, 'alice')
  assert.equal((await both.authenticate(bearer(forge(claims)))).subject, 'alice')
})

test('there is no authenticator without a key', () => {
  assert.throws(() => new Authenticator({ now: () => now }), { code: 'KEY_FILE' })
})

test('B23: a token that is not signed is 401', async () => {
  for (const alg of ['none', 'None', '', undefined, null, 7]) {
    await refused(bearer(forge(claims, { ...header, alg })), 401, /malformed|not signed with/)
    await refused(bearer(`${part({ ...header, alg })}.${part(claims)}.AA`), 401, /malformed|not signed with/)
  }
  await refused(bearer(`${part(header)}.${part(claims)}.`), 401, /signature|malformed/)
})

test('B24: a public key used as a shared secret, and any other algorithm, is 401', async () => {
  const [publicJwk] = pair.publicJwks.keys
  const secret = Buffer.from(publicJwk?.x ?? '', 'base64url')
  const hmac = (input: string) => createHmac('sha256', secret).update(input).digest()
  await refused(bearer(forge(claims, { ...header, alg: 'HS256' }, hmac)), 401, /not signed with|in another way/)
  await refused(bearer(forge(claims, header, hmac)), 401, /signature/)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const rs256 = (input: string) => sign('sha256', Buffer.from(input), rsa)
  await refused(bearer(forge(claims, { ...header, alg: 'RS256' }, rs256)), 401, /not signed with|in another way/)
})

test('a signature by a stranger is 401, also when the token brings the key along', async () => {
  const byStranger = (input: string) => ed25519(input, stranger.privateJwk)
  const [jwk] = stranger.publicJwks.keys
  await refused(bearer(forge(claims, header, byStranger)), 401, /signature of the token is wrong/)
  await refused(
    bearer(forge(claims, { ...header, jwk, jku: 'http://127.0.0.1:1/', x5u: 'x' }, byStranger)),
    401,
    /signature/,
  )
  await refused(bearer(forge(claims, { alg: 'EdDSA', jwk }, byStranger)), 401, /names no key/)
  await refused(bearer(forge(claims, { ...header, crit: ['exp'], exp: 1 })), 401, /malformed/)
})

test('B25: claims outside their time or purpose are 401 and say which', async () => {
  const table: [Record<string, unknown>, RegExp][] = [
    [{ exp: iat - 3 * hour, iat: iat - 4 * hour }, /expired 3 h ago/],
    [{ exp: iat - 60, iat: iat - hour }, /expired 60 s ago/],
    [{ nbf: iat + 61 }, /not valid yet/],
    [{ iat: iat + 61 }, /made in the future/],
    [{ aud: 'other' }, /wrong audience/],
    [{ aud: undefined }, /no claim "aud"/],
    [{ aud: ['tunnelctl'] }, /"aud"/],
    [{ iss: 'other' }, /wrong issuer/],
    [{ iss: undefined }, /no claim "iss"/],
    [{ exp: undefined }, /no claim "exp"/],
    [{ exp: 'never' }, /"exp"/],
    [{ exp: null }, /"exp"/],
    [{ iat: undefined }, /no claim "iat"/],
    [{ nbf: 'x' }, /not valid yet/],
    [{ role: 'admin' }, /"role"/],
    [{ role: undefined }, /"role"/],
    [{ sub: undefined }, /"sub"/],
    [{ jti: undefined }, /"jti"/],
    [{ agents: [] }, /"agents"/],
    [{ allow: ['*'] }, /"allow"/],
    [{ role: 'agent', allow: [], agents: ['*'] }, /"agents"/],
  ]
  for (const [change, why] of table) await refused(bearer(forge({ ...claims, ...change })), 401, why)
  for (const payload of [[], 'text', 7, null, '{']) await refused(bearer(forge(payload)), 401, /malformed/)
})

test('clocks may be a minute apart, in both directions', async () => {
  const late = forge({ ...claims, exp: iat - 59, iat: iat - hour })
  const early = forge({ ...claims, nbf: iat + 60, iat: iat + 60 })
  assert.equal((await authenticator.authenticate(bearer(late))).expiresAt, now - 59_000)
  assert.equal((await authenticator.authenticate(bearer(early))).subject, 'alice')
})

test('the clock is read at each request', async () => {
  let time = now
  const moving = new Authenticator({ keys: () => keysById([pair.publicJwks]), now: () => time })
  const request = bearer(forge(claims))
  await moving.authenticate(request)
  time += 2 * hour * 1000
  await refused(request, 401, /expired 60 min ago/, moving)
})

test('a gateway may bound the lifetime of tokens', async () => {
  const strict = new Authenticator({ keys: () => keysById([pair.publicJwks]), now: () => now, maxTtlMs: hour * 1000 })
  assert.equal((await strict.authenticate(bearer(forge(claims)))).subject, 'alice')
  const long = forge({ ...claims, exp: iat + 5 * 24 * hour })
  await refused(bearer(long), 401, /made for 5 d, and this gateway takes at most 60 min/, strict)
})

test('B26: a key id is only looked up, whatever it looks like', async () => {
  for (const kid of [
    '../../etc/passwd',
    '__proto__',
    'constructor',
    'http://127.0.0.1:1/',
    '',
    ' ',
    'k'.repeat(4000),
  ]) {
    await refused(bearer(forge(claims, { ...header, kid })), 401, /no key with the id/)
  }
  for (const kid of [undefined, null, 7, ['a'], { toString: 1 }]) {
    await refused(bearer(forge(claims, { ...header, kid })), 401, /names no key|malformed/)
  }
  await refused(bearer(forge(claims, { ...header, kid: 'k'.repeat(10_240) })), 401, /over 8192 bytes/)
})

test('a token of over 8 KiB is 401 before anything looks into it', async () => {
  await refused(bearer('a'.repeat(8193)), 401, /over 8192 bytes/)
  await refused(bearer('a'.repeat(8192)), 401, /malformed/)
})

test('a payload with __proto__ gives no more than its known claims', async () => {
  const text = JSON.stringify(claims).replace('{', '{"__proto__":{"role":"agent","polluted":1},')
  const principal = await authenticator.authenticate(bearer(forge(text)))
  assert.equal(principal.role, 'connect')
  assert.equal((principal as { polluted?: unknown }).polluted, undefined)
})

/** The last character of a signature has four bits that mean nothing (RFC 4648, 3.5). */
function means(token: string, good: string): boolean {
  const cut = good.lastIndexOf('.') + 1
  const bytes = (text: string) => Buffer.from(text.slice(cut), 'base64url')
  return token.length === good.length && token.slice(0, cut) === good.slice(0, cut) && bytes(token).equals(bytes(good))
}

test('a corrupted token is always 401, and no refusal repeats any of it', async () => {
  const good = forge(claims)
  const damage = fc.oneof(
    fc.record({ at: fc.nat({ max: good.length }), cut: fc.nat({ max: 20 }), put: fc.string({ maxLength: 5 }) }),
    fc.record({
      at: fc.nat({ max: good.length }),
      cut: fc.constant(1),
      put: fc.constantFrom(...'ABCabc019-_.', ''),
    }),
  )
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, cut, put }) => {
      const token = good.slice(0, at) + put + good.slice(at + cut)
      fc.pre(!means(token.trim(), good))
      const error = await refusal(bearer(token))
      assert.equal(statusOf(error), 401, error.message)
    }),
    { numRuns: 1000 },
  )
})

test('keys of three kinds sign tokens, each in its own way alone', async () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid }) as JWK
  const keys = keysById([{ keys: [jwk(ec.publicKey, 'ec'), jwk(rsa.publicKey, 'rsa')] }, pair.publicJwks])
  const mixed = new Authenticator({ keys: () => keys, now: () => now })
  const es256 = (input: string) => sign('sha256', Buffer.from(input), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })
  const rs256 = (input: string) => sign('sha256', Buffer.from(input), rsa.privateKey)
  const signed = (alg: string, kid: string, signer: (input: string) => Buffer) =>
    bearer(forge(claims, { alg, kid }, signer))
  for (const request of [signed('ES256', 'ec', es256), signed('RS256', 'rsa', rs256), bearer(forge(claims))])
    assert.equal((await mixed.authenticate(request)).subject, 'alice')
  for (const request of [signed('RS256', 'ec', rs256), signed('ES256', 'rsa', es256), signed('EdDSA', 'rsa', rs256)])
    await refused(request, 401, /in another way than its key is for/, mixed)
  await refused(signed('PS256', 'rsa', rs256), 401, /not signed with/, mixed)
  await refused(signed('ES256', 'ec', rs256), 401, /signature|malformed/, mixed)
})

test('keys are looked up at each token, so that a key that is gone is gone at once', async () => {
  let keys = keysById([pair.publicJwks, stranger.publicJwks])
  const rotating = new Authenticator({ keys: () => keys, now: () => now })
  const request = bearer(forge(claims))
  assert.equal((await rotating.authenticate(request)).subject, 'alice')
  keys = keysById([stranger.publicJwks])
  await refused(request, 401, /no key with the id/, rotating)
})

test('what was revoked is 401, whichever of its marks is on the list', async () => {
  const revoked = new Set<string>()
  const isRevoked = ({ tokenId, subject }: Principal) => revoked.has(tokenId) || revoked.has(subject)
  const keys = keysById([pair.publicJwks])
  const strict = new Authenticator({ keys: () => keys, isRevoked, now: () => now })
  assert.equal((await strict.authenticate(bearer(forge(claims)))).subject, 'alice')
  for (const mark of ['one', 'alice']) {
    revoked.add(mark)
    await refused(bearer(forge(claims)), 401, /revoked/, strict)
    revoked.clear()
  }
})
