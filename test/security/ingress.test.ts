/** Group F: what has no place of its own in test/e2e/ingress-*.test.ts. There is no dashboard, and no port of a connect's own. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { hostFor, OK, serveRaw, statusOf, talk } from '../support/ingress.ts'
import { Arena } from './arena.ts'

const scope = { after }
const web = await serveRaw(scope, OK)
const arena = await Arena.start(scope, {
  gatewayArgs: ['--ingress-domain', 'in.test', '--ingress-public', '*/*:*'],
  services: { 'web/prod:80': web.port },
})
const { port, gateway, agent } = arena
const adminPorts = [gateway, agent].map(({ admin }) => Number(new URL(admin).port))
const get = (path: string, host = 'x', more = '', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`

// What the ingress holds from its first request on belongs to it.
assert.equal(statusOf(await talk(port, get('/', hostFor('web/prod:80')))), 200)
await arena.settle()

const paths = [
  ...['/..%2f..%2fetc/passwd', '/%2e%2e/', '/..%5c..%5c', '/%5cx', '/%00', '/a%00.html', '//', '//etc/passwd', '/.git'],
  ...[
    '/.git/config',
    '/%',
    '/%zz',
    '/%ff%fe',
    '/?',
    '/v1/..%2fv1/login',
    '/v1//login',
    '/V1/login',
    '/v1/login/',
    '/\\',
  ],
  ...[`/${'a/../'.repeat(1_000)}`, `/${'%2e'.repeat(3_000)}`, '/__proto__', '/constructor', '*'],
]

test('F117: no path leads to a file, for there are none: each is 404 or 400, at every port', async () => {
  for (const path of paths) {
    for (const at of [port, ...adminPorts]) {
      const status = statusOf(await talk(at, get(path)))
      assert.ok([400, 404].includes(status), `${path} is ${status}`)
    }
  }
  await arena.unharmed()
})

test('F118: a host that nobody has given out is nobody, and a page of another site is refused', async () => {
  const before = web.received.length
  for (const host of ['evil.example', 'evil.in.test', 'web--prod--80.in.test.evil.example', '127.0.0.1', '[::1]']) {
    assert.equal(statusOf(await talk(port, get('/', host))), 404, host)
  }
  const token = await arena.token('connect')
  const origin = `Authorization: Bearer ${token}\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n`
  for (const [method, path] of [
    ['GET', '/v1/services'],
    ['GET', '/v1/measure'],
    ['POST', '/v1/measure'],
    ['POST', '/v1/open'],
  ] as const) {
    assert.equal(statusOf(await talk(port, get(path, 'evil.example', origin, method))), 403, path)
  }
  assert.equal(web.received.length, before)
  await arena.unharmed()
})

test('F118: what a page could read at an admin port is numbers, and there is nothing to change', async () => {
  const session = await arena.client()
  for (const at of adminPorts) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      assert.equal(statusOf(await talk(at, get('/metrics', 'evil.example', 'Content-Length: 0\r\n', method))), 405)
    const text = await talk(at, get('/metrics', 'evil.example', 'Origin: https://evil.example\r\n'))
    assert.equal(statusOf(text), 200)
    assert.doesNotMatch(text, /access-control|mallory|test-connect|echo|prod|home|127\.0\.0\.1/i)
  }
  session.leave()
  await arena.unharmed()
})
