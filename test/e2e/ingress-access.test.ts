/** Who may come in where a token is asked for. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Answer, ask, hostFor, serveRaw, startIngress, statusOf, talk } from '../support/ingress.ts'

const scope = { after }
const service = await serveRaw(scope)
const { port, site, gateway } = await startIngress(scope, {
  services: { 'web/prod:80': service.port, 'open/prod:80': service.port },
  open: 'open/prod:80',
})
const token = await site.tokenText({ role: 'connect', allow: ['web/prod:80'] })
const target = 'web/prod:80'

async function refused(headers: Record<string, string>, status: number, code: string): Promise<Answer> {
  const before = service.received.length
  const answer = await ask(port, { target, headers: { accept: 'application/json', ...headers } })
  assert.equal(answer.status, status, answer.body.toString())
  assert.equal((JSON.parse(answer.body.toString()) as { error: { code: string } }).error.code, code)
  assert.equal(service.received.length, before)
  assert.ok(!answer.body.includes('eyJ'))
  return answer
}

const bearer = (text: string): Record<string, string> => ({ 'proxy-authorization': `Bearer ${text}` })

test('a program without a token is told how to bring one, a browser how to log in', async () => {
  const { headers } = await refused({}, 407, 'UNAUTHENTICATED')
  assert.equal(headers['proxy-authenticate'], 'Bearer')
  const page = await ask(port, { target, headers: { accept: 'text/html,*/*;q=0.8' } })
  assert.equal(page.status, 403)
  assert.match(page.body.toString(), /To log in, type: tunnelctl open/)
})

test('a token that allows the service lets in, and neither it nor its name reach the service', async () => {
  const headers = { ...bearer(token), authorization: 'Basic of-the-app', cookie: 'a=1; __Host-tunnelctl=x; b=2' }
  assert.equal((await ask(port, { target, headers })).body.toString(), 'ok')
  const seen = service.received.at(-1) ?? ''
  assert.doesNotMatch(seen, /proxy-authorization|bearer|eyJ|__Host-tunnelctl/i)
  assert.match(seen, /^authorization: Basic of-the-app\r$/im)
  assert.match(seen, /^cookie: a=1; b=2\r$/im)
  const line = await gateway.process.event('request', ({ status }) => status === 200)
  assert.equal(line.subject, 'test-connect')
})

test('nor do they reach a service that asks for none', async () => {
  assert.equal((await ask(port, { target: 'open/prod:80', headers: bearer(token) })).status, 200)
  assert.doesNotMatch(service.received.at(-1) ?? '', /proxy-authorization|bearer|eyJ/i)
})

test('a token for something else, for another agent or for agents does not let in', async () => {
  const of = async (request: Parameters<typeof site.tokenText>[0]) => bearer(await site.tokenText(request))
  await refused(await of({ role: 'connect', allow: ['db/prod:*', 'web/dev:80', 'web/prod:81'] }), 403, 'DENIED')
  await refused(await of({ role: 'connect', allow: ['web/prod:80/udp'] }), 403, 'DENIED')
  await refused(await of({ role: 'agent' }), 403, 'DENIED')
  const elsewhere = await ask(port, {
    target: 'x/x:1',
    headers: {
      host: hostFor(target, 'home'),
      ...(await of({ role: 'connect', agents: ['office'], allow: ['*/*:*'] })),
    },
  })
  assert.equal(elsewhere.status, 403)
})

test('one that has expired, is no token, or of another issuer, does not either', async () => {
  const expired = await site.tokenText({ role: 'connect', ttlMs: 60_000, now: Date.now() - 60 * 60_000 })
  for (const text of [expired, 'nonsense', `${token.slice(0, -4)}AAAA`]) {
    const { headers } = await refused(bearer(text), 407, 'UNAUTHENTICATED')
    assert.equal(headers['proxy-authenticate'], 'Bearer')
  }
})

test('credentials that are malformed, or two of them, are 400', async () => {
  const before = service.received.length
  for (const fields of ['Proxy-Authorization: Basic eDp4\r\n', `Proxy-Authorization: Bearer ${token}\r\n`.repeat(2)]) {
    const request = `GET / HTTP/1.1\r\nHost: ${hostFor(target)}\r\n${fields}Connection: close\r\n\r\n`
    assert.equal(statusOf(await talk(port, request)), 400)
  }
  assert.equal(service.received.length, before)
})

test('an upgrade asks for the same, and an own cookie that nobody gave out is none', async () => {
  const upgrade = (fields: string): string =>
    `GET / HTTP/1.1\r\nHost: ${hostFor(target)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n${fields}\r\n`
  assert.equal(statusOf(await talk(port, upgrade(''))), 407)
  assert.equal(statusOf(await talk(port, upgrade('Cookie: __Host-tunnelctl=made-up\r\n'))), 407)
  assert.equal(statusOf(await talk(port, upgrade(`Proxy-Authorization: Bearer ${token}\r\n`))), 200)
})

test('what is below /.tunnelctl/ never reaches a service, and a code that nobody gave out is none', async () => {
  const before = service.received.length
  const at = async (path: string) => (await ask(port, { target: 'open/prod:80', path })).status
  assert.deepEqual(
    [await at('/.tunnelctl/login?code=x'), await at('/.tunnelctl/login'), await at('/.tunnelctl/x')],
    [403, 403, 404],
  )
  assert.equal(service.received.length, before)
})

test('a service cannot log anybody in or out', async t => {
  const cookies = 'Set-Cookie: __Host-tunnelctl=evil\r\nset-cookie:  __host-TUNNELCTL=evil\r\nSet-Cookie: own=1\r\n'
  const evil = await serveRaw(t, `HTTP/1.1 200 OK\r\n${cookies}Content-Length: 0\r\n\r\n`)
  const { port: other } = await startIngress(t, { services: { [target]: evil.port } })
  assert.deepEqual((await ask(other, { target })).headers['set-cookie'], ['own=1'])
})

test('what a trusted proxy says of the way is kept, and extended', async t => {
  const { port: other } = await startIngress(t, {
    services: { [target]: service.port },
    gatewayArgs: ['--trusted-proxies', '127.0.0.0/8'],
  })
  const headers = {
    'x-forwarded-for': '6.6.6.6, 203.0.113.7, 127.0.0.9',
    forwarded: 'for=203.0.113.7',
    via: '1.1 front',
    'x-request-id': 'of-the-front',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'front.example',
    'x-real-ip': '203.0.113.7',
    x_forwarded_for: '9.9.9.9',
  }
  assert.equal((await ask(other, { target, headers })).status, 200)
  const seen = service.received.at(-1) ?? ''
  const field = (name: string) => [...seen.matchAll(new RegExp(`^${name}: (.*)\r$`, 'gim'))].map(([, value]) => value)
  assert.deepEqual(field('x-forwarded-for'), ['6.6.6.6, 203.0.113.7, 127.0.0.9, 203.0.113.7'])
  assert.deepEqual(field('via'), ['1.1 front, 1.1 tunnelctl'])
  assert.deepEqual(field('x-request-id'), ['of-the-front'])
  assert.deepEqual(field('x-forwarded-proto'), ['https'])
  assert.deepEqual(field('x-forwarded-host'), ['front.example'])
  assert.deepEqual(field('x-real-ip'), ['203.0.113.7'])
  assert.deepEqual(field('x_forwarded_for'), [])
  assert.match(String(field('forwarded')[0]), /^for=203\.0\.113\.7, for=203\.0\.113\.7;host=".*";proto=https$/)
})
