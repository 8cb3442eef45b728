import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { Access, setsOwnCookie, withoutOwnCookie } from '../../../src/gateway/ingress/access.ts'
import { clientOf } from '../../../src/gateway/ingress/client.ts'
import { Failure } from '../../../src/gateway/ingress/failure.ts'
import { addressRanges } from '../../../src/net/cidr.ts'
import { principal } from '../../support/world.ts'
import { authenticator, claims, forge, now } from '../forge.ts'

const HOUR = 60 * 60_000

/** As much of a request as is looked at. */
function request(headers: Record<string, string>, method = 'GET', remoteAddress = '192.0.2.9'): IncomingMessage {
  const rawHeaders = Object.entries(headers).flat()
  return { headers, rawHeaders, method, socket: { remoteAddress } } as unknown as IncomingMessage
}

function start(expiresAt = Number.POSITIVE_INFINITY) {
  const state = { now: 0 }
  let count = 0
  const access = new Access({
    authenticator: { verify: () => Promise.reject(new Error('no token expected')), isRevoked: () => false },
    wallNow: () => state.now,
    randomBytes: bytes => Buffer.alloc(bytes, `${++count}.`),
  })
  const ada = principal('connect', { subject: 'ada', expiresAt })
  const logIn = (host = 'a.test'): string => access.redeem(access.invite(ada, host), host)?.split(';')[0] ?? ''
  const subject = async (headers: Record<string, string>, method = 'GET', upgrading = false) => {
    try {
      const { host = 'a.test' } = headers
      return (await access.principalOf(request({ host, ...headers }, method), host, upgrading)).subject
    } catch (thrown) {
      assert.ok(thrown instanceof Failure)
      return thrown.status
    }
  }
  return { state, access, ada, logIn, subject }
}

test('a code is good once, for a minute, at its host', () => {
  const { access, ada, state } = start()
  const code = access.invite(ada, 'a.test')
  assert.equal(access.redeem(code, 'b.test'), undefined)
  assert.match(
    access.redeem(code, 'a.test') ?? '',
    /^__Host-tunnelctl=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
  )
  assert.equal(access.redeem(code, 'a.test'), undefined)
  const late = access.invite(ada, 'a.test')
  state.now += 60_000
  assert.equal(access.redeem(late, 'a.test'), undefined)
})

test('a cookie is good for twelve hours and no longer than its token, at its host, alone', async () => {
  const { logIn, subject, state } = start()
  const cookie = logIn()
  assert.equal(await subject({ cookie: `x=1; ${cookie}; y=2` }), 'ada')
  assert.equal(await subject({ cookie, host: 'b.test' }), 407)
  assert.equal(await subject({ cookie: `${cookie}; ${cookie}` }), 407)
  state.now = 12 * HOUR
  assert.equal(await subject({ cookie }), 407)
  const short = start(HOUR)
  const early = short.logIn()
  short.state.now = HOUR
  assert.equal(await short.subject({ cookie: early }), 407)
})

test('a cookie alone lets no other site change something, or open a WebSocket', async () => {
  const { logIn, subject } = start()
  const cookie = logIn()
  const from = (origin: string) => ({ cookie, origin })
  assert.equal(await subject(from('http://a.test'), 'POST'), 'ada')
  assert.equal(await subject(from('http://a.test'), 'GET', true), 'ada')
  for (const origin of ['http://evil.test', 'null', 'http://a.test.evil', 'http://a.test:81', 'ftp://a.test', '']) {
    assert.equal(await subject(from(origin), 'POST'), 403, origin)
    assert.equal(await subject(from(origin), 'GET', true), 403, origin)
  }
  assert.equal(await subject({ cookie }, 'GET', true), 403)
  for (const site of ['cross-site', 'same-site']) {
    assert.equal(await subject({ cookie, 'sec-fetch-site': site }, 'DELETE'), 403)
    assert.equal(await subject({ cookie, 'sec-fetch-site': site }), 'ada')
  }
})

test('our cookie is taken out of what the service gets, and the service cannot set it', () => {
  const left = (...cookies: string[]) =>
    withoutOwnCookie(['Host', 'h', ...cookies.flatMap(each => ['cookie', each])]).slice(2)
  assert.deepEqual(left(), [])
  assert.deepEqual(left('a=1; __Host-tunnelctl=x; b=2'), ['cookie', 'a=1; b=2'])
  assert.deepEqual(left('__Host-tunnelctl=x', 'a=1'), ['cookie', 'a=1'])
  assert.deepEqual(left('a=1;__Host-tunnelctl =x'), ['cookie', 'a=1'])
  assert.deepEqual(left('__Host-tunnelctl2=x'), ['cookie', '__Host-tunnelctl2=x'])
  for (const value of [
    '__Host-tunnelctl=x',
    ' __HOST-tunnelctl=x',
    '__Host-tunnelctl =x',
    '=__Host-tunnelctl=x',
    '__Host-tunnelctl',
  ])
    assert.ok(setsOwnCookie(value), value)
  assert.ok(!setsOwnCookie('x=__Host-tunnelctl=x'))
})

test('the client is the last address that is not trusted, and what cannot be one ends the search', () => {
  const trusted = addressRanges(['10.0.0.0/8', '::1'])
  const at = (said: string | undefined, peer: string) =>
    clientOf(request(said === undefined ? {} : { 'X-Forwarded-For': said }, 'GET', peer), trusted).address
  assert.equal(at('6.6.6.6', '192.0.2.1'), '192.0.2.1')
  assert.equal(at('6.6.6.6, 192.0.2.7, 10.0.0.2', '10.0.0.1'), '192.0.2.7')
  assert.equal(at('192.0.2.7, garbage, 10.0.0.2', '::ffff:10.0.0.1'), '10.0.0.2')
  assert.equal(at('10.0.0.3', '10.0.0.1'), '10.0.0.3')
  assert.equal(at('[2001:db8::1]', '::1'), '2001:db8::1')
  assert.equal(at(undefined, '10.0.0.1'), '10.0.0.1')
  assert.equal(clientOf(request({ 'X-Forwarded-Proto': 'https' }, 'GET', '192.0.2.1'), trusted).protocol, 'http')
})

test('a program brings its token in Proxy-Authorization, and only there', async () => {
  const access = new Access({ authenticator, wallNow: () => now, randomBytes })
  const token = forge(claims)
  const bring = (...values: string[]) => {
    const rawHeaders = values.flatMap(value => ['Proxy-Authorization', value])
    return access.principalOf({ rawHeaders, headers: {}, method: 'GET' } as unknown as IncomingMessage, 'a.test', true)
  }
  assert.equal((await bring(`Bearer ${token}`)).subject, 'alice')
  await assert.rejects(bring(`Bearer ${token}`, `Bearer ${token}`), { status: 400 })
  await assert.rejects(bring(`Basic ${token}`), { status: 400 })
  await assert.rejects(bring(`Bearer ${forge({ ...claims, exp: 1, iat: 0 })}`), { code: 'UNAUTHENTICATED' })
  const elsewhere = request({ Authorization: `Bearer ${token}` })
  await assert.rejects(access.principalOf(elsewhere, 'a.test', false), { status: 407 })
})

test('codes have a bound: the oldest makes room', () => {
  const { access, ada } = start()
  const first = access.invite(ada, 'a.test')
  const others = Array.from({ length: 1_024 }, () => access.invite(ada, 'a.test'))
  assert.equal(access.redeem(first, 'a.test'), undefined)
  assert.ok(access.redeem(others.at(-1) ?? '', 'a.test'))
})
