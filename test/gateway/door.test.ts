import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect as tcpConnect } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { asTunnelError, TunnelError } from '../../src/errors.ts'
import { statusOf } from '../../src/gateway/auth.ts'
import { authenticator, bearer, claims, forge, header, part, refused } from './forge.ts'

test('both names of the algorithm and any case of the scheme are understood', async () => {
  const token = forge(claims, { ...header, alg: 'Ed25519' })
  for (const rawHeaders of [
    ['authorization', `bearer ${token}`],
    ['AUTHORIZATION', `BEARER  ${token} `],
    ['Host', 'x', 'Cookie', 'a=b', 'Authorization', `Bearer ${token}`],
  ]) {
    assert.equal((await authenticator.authenticate({ rawHeaders })).subject, 'alice')
  }
})

test('B20, B28: without an Authorization header it is 401, whatever the cookies say', async () => {
  await refused({ rawHeaders: [] }, 401, /Authorization header is missing/)
  await refused({ rawHeaders: ['Cookie', `token=${forge(claims)}`] }, 401, /missing/)
  await refused({ rawHeaders: ['Proxy-Authorization', `Bearer ${forge(claims)}`] }, 401, /missing/)
})

test('what is not one bearer token is 401', async () => {
  const token = forge(claims)
  for (const value of [
    '',
    'Bearer',
    'Bearer ',
    `Basic ${token}`,
    token,
    `Bearer ${token} ${token}`,
    `Bearer ${token},`,
  ]) {
    await refused({ rawHeaders: ['Authorization', value] }, 401, /not "Bearer" and a token/)
  }
})

test('B21: two credentials in one request are 400, even when both are good', async () => {
  const value = `Bearer ${forge(claims)}`
  await refused({ rawHeaders: ['Authorization', value, 'authorization', value] }, 400, /more than one/)
  await refused({ rawHeaders: ['Authorization', value, 'Host', 'x', 'AuthorizatioN', ''] }, 400, /more than one/)
  const protocol = ['Sec-WebSocket-Protocol', `tunnelctl.v1, base64url.bearer.authorization.${part('SECRET')}`]
  await refused({ rawHeaders: ['Authorization', value, ...protocol] }, 400, /Sec-WebSocket-Protocol/)
})

test('B21 on a real socket: Node hides the second header, the authenticator does not', async () => {
  const server = createServer((request, response) => {
    authenticator.authenticate(request).then(
      () => response.writeHead(200).end(),
      (thrown: unknown) => response.writeHead(statusOf(asTunnelError(thrown)), { connection: 'close' }).end(),
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const value = `Authorization: Bearer ${forge(claims)}\r\n`
  const statusFor = (headers: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = tcpConnect(address.port, '127.0.0.1').on('error', reject)
      let answer = ''
      socket.on('data', chunk => {
        answer += chunk.toString()
      })
      socket.on('close', () => resolve(answer.slice(9, 12)))
      socket.write(`GET /v1/connect HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`)
    })
  try {
    assert.equal(await statusFor(value), '200')
    assert.equal(await statusFor(value + value), '400')
    assert.equal(await statusFor(''), '401')
  } finally {
    server.close()
  }
})

test('B22: a token in the query is 400, also beside a good header, in any spelling of the name', async () => {
  const token = forge(claims)
  for (const query of [
    `token=${token}`,
    `a=1&access_token=${token}`,
    `%74oken=${token}`,
    'TOKEN=x',
    'token',
    'a&token=',
  ]) {
    await refused({ ...bearer(token), url: `/v1/connect?${query}` }, 400, /URL/)
    await refused({ rawHeaders: [], url: `/v1/connect?${query}` }, 400, /URL/)
  }
  const harmless = { ...bearer(token), url: '/v1/connect?tokens=1&a=token&agent=home' }
  assert.equal((await authenticator.authenticate(harmless)).subject, 'alice')
})

test('any headers and URL give a principal or a typed refusal', async () => {
  const name = fc.oneof(
    fc.constantFrom('Authorization', 'authorization', 'Cookie', 'Sec-WebSocket-Protocol'),
    fc.string(),
  )
  const value = fc.oneof(
    fc.string(),
    fc.string().map(text => `Bearer ${text}`),
    fc.tuple(fc.jsonValue(), fc.jsonValue()).map(([head, payload]) => `Bearer ${part(head)}.${part(payload)}.AAAA`),
  )
  const headers = fc.array(fc.tuple(name, value), { maxLength: 3 }).map(list => list.flat())
  await fc.assert(
    fc.asyncProperty(headers, fc.option(fc.string(), { nil: undefined }), async (rawHeaders, url) => {
      const error = await authenticator.authenticate({ rawHeaders, url }).then(() => undefined, asTunnelError)
      assert.ok(error !== undefined && [400, 401].includes(statusOf(error)), String(error))
    }),
    { numRuns: 500 },
  )
})

test('a failure at the door has its HTTP status, and a bug is 500', () => {
  const status = (code: ConstructorParameters<typeof TunnelError>[0]) => statusOf(new TunnelError(code, ''))
  assert.equal(status('UNAUTHENTICATED'), 401)
  assert.equal(status('FORBIDDEN'), 403)
  assert.equal(status('PROTOCOL'), 400)
  assert.equal(status('VERSION'), 426)
  assert.equal(status('DRAINING'), 503)
  assert.equal(status('INTERNAL'), 500)
})
