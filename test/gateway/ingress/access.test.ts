import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { Access, setsOwnCookie, withoutOwnCookie } from '../../../src/gateway/ingress/access.ts'
import { Failure } from '../../../src/gateway/ingress/failure.ts'
import { principalFromClaims } from '../../../src/gateway/principal.ts'
import { authenticator, claims, forge, hour, now } from '../forge.ts'

const principal = principalFromClaims({ ...claims, role: 'connect', iss: 'tunnelctl', aud: 'tunnelctl' })
const host = 'web--prod--80.example.com'

function world() {
  const time = { now }
  return { time, access: new Access({ authenticator, wallNow: () => time.now, randomBytes }) }
}

function request(fields: readonly [string, string][], method = 'GET'): IncomingMessage {
  const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]))
  return { method, rawHeaders: fields.flat(), headers: { host, ...headers } } as unknown as IncomingMessage
}

const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? assert.fail('no cookie')

async function refused(promise: Promise<unknown>, status: number, code: string): Promise<void> {
  await assert.rejects(promise, (thrown: unknown) => {
    assert.ok(thrown instanceof Failure, String(thrown))
    assert.deepEqual([thrown.status, thrown.code], [status, code])
    return true
  })
}

test('a code is good once, at its host, for a minute, and gives a cookie that only this host gets', async () => {
  const { access, time } = world()
  const code = access.invite(principal, host)
  assert.equal(access.redeem(code, 'other.example.com'), undefined)
  const cookie = access.redeem(code, host)
  assert.match(cookie ?? '', /^__Host-tunnelctl=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  assert.equal(access.redeem(code, host), undefined)
  const late = access.invite(principal, host)
  time.now += 60_000
  assert.equal(access.redeem(late, host), undefined)
  assert.equal(access.redeem('', host), undefined)
})

test('the cookie lets its bearer in at its host, until the token behind it ends', async () => {
  const { access, time } = world()
  const cookie = cookieOf(access.redeem(access.invite(principal, host), host))
  assert.equal((await access.principalOf(request([['Cookie', `a=b; ${cookie}; c=d`]]), host, false)).subject, 'alice')
  await refused(access.principalOf(request([['Cookie', cookie]]), 'other.example.com', false), 407, 'UNAUTHENTICATED')
  await refused(access.principalOf(request([['Cookie', `${cookie}x`]]), host, false), 407, 'UNAUTHENTICATED')
  await refused(access.principalOf(request([['Cookie', `${cookie}; ${cookie}`]]), host, false), 407, 'UNAUTHENTICATED')
  time.now += hour * 1_000
  await refused(access.principalOf(request([['Cookie', cookie]]), host, false), 407, 'UNAUTHENTICATED')
})

test('a WebSocket with a cookie comes from a page of this very host', async () => {
  const { access } = world()
  const cookie = cookieOf(access.redeem(access.invite(principal, host), host))
  const from = (origin?: string) =>
    access.principalOf(
      request([['Cookie', cookie], ...(origin === undefined ? [] : ([['Origin', origin]] as [string, string][]))]),
      host,
      true,
    )
  assert.equal((await from(`https://${host}`)).subject, 'alice')
  for (const origin of [
    undefined,
    'null',
    'https://evil.example',
    `https://${host}.evil.example`,
    `ftp://${host}`,
    host,
  ]) {
    await refused(from(origin), 403, 'ORIGIN')
  }
})

test('what changes something does not come from another site with a cookie', async () => {
  const { access } = world()
  const cookie = cookieOf(access.redeem(access.invite(principal, host), host))
  const ask = (method: string, fields: [string, string][]) =>
    access.principalOf(request([['Cookie', cookie], ...fields], method), host, false)
  assert.equal((await ask('POST', [])).subject, 'alice')
  assert.equal((await ask('POST', [['Origin', `https://${host}`]])).subject, 'alice')
  assert.equal((await ask('GET', [['Sec-Fetch-Site', 'cross-site']])).subject, 'alice')
  await refused(ask('POST', [['Origin', 'https://evil.example']]), 403, 'ORIGIN')
  await refused(ask('DELETE', [['Sec-Fetch-Site', 'cross-site']]), 403, 'ORIGIN')
  await refused(ask('POST', [['Sec-Fetch-Site', 'same-site']]), 403, 'ORIGIN')
})

test('a program brings its token in Proxy-Authorization, and only there', async () => {
  const { access } = world()
  const token = forge(claims)
  const bring = (...values: string[]) =>
    access.principalOf(request(values.map(value => ['Proxy-Authorization', value])), host, true)
  assert.equal((await bring(`Bearer ${token}`)).subject, 'alice')
  await refused(bring(`Bearer ${token}`, `Bearer ${token}`), 400, 'PROTOCOL')
  await refused(bring(`Basic ${token}`), 400, 'PROTOCOL')
  await assert.rejects(bring(`Bearer ${forge({ ...claims, exp: 1, iat: 0 })}`), { code: 'UNAUTHENTICATED' })
  await refused(
    access.principalOf(request([['Authorization', `Bearer ${token}`]]), host, false),
    407,
    'UNAUTHENTICATED',
  )
  await refused(access.principalOf(request([['Accept', 'text/html']]), host, false), 403, 'UNAUTHENTICATED')
})

test('codes and cookies have a bound: the oldest makes room', () => {
  const { access } = world()
  const first = access.invite(principal, host)
  const others = Array.from({ length: 1_024 }, () => access.invite(principal, host))
  assert.equal(access.redeem(first, host), undefined)
  assert.ok(access.redeem(others[0] ?? '', host))
  assert.ok(access.redeem(others.at(-1) ?? '', host))
})

test('the cookie stays here: no service gets it, and none may set it', () => {
  assert.equal(withoutOwnCookie('__Host-tunnelctl=x'), undefined)
  assert.equal(withoutOwnCookie('a=b; __Host-tunnelctl=x; c=d'), 'a=b; c=d')
  assert.equal(withoutOwnCookie('a=__Host-tunnelctl=x'), 'a=__Host-tunnelctl=x')
  assert.ok(setsOwnCookie('__Host-tunnelctl=; Max-Age=0') && setsOwnCookie(' __host-TUNNELCTL=x'))
  assert.ok(!setsOwnCookie('session=__Host-tunnelctl=x'))
})
