import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isLoop, requestFields, responseFields, trailerFields, type Way } from '../../../src/gateway/ingress/fields.ts'

const way: Way = { address: '192.0.2.1', protocol: 'https', host: 'web.test', requestId: 'r1', trusted: false }
const none: ReadonlySet<string> = new Set()
const ownFields = [
  ...['X-Request-Id', 'r1', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'web.test'],
  ...['X-Forwarded-For', '192.0.2.1', 'Forwarded', 'for=192.0.2.1;host="web.test";proto=https', 'Via', '1.1 tunnelctl'],
]

test('what concerns one connection stays on it, and the rest keeps order, spelling and duplicates', () => {
  const sent = ['X-b', '1', 'CONNECTION', 'x-gone', 'x-B', '2', 'X-Gone', '3', 'Upgrade', 'h2c', 'tE', 'x', 'X-b', '1']
  assert.deepEqual(requestFields(sent, way, none), ['X-b', '1', 'x-B', '2', 'X-b', '1', ...ownFields])
})

test('nominating Host, a length or what the gateway adds takes nothing away', () => {
  const sent = [
    'Host',
    'h',
    'Content-Length',
    '1',
    'Connection',
    'host, content-length,via',
    'connection',
    'x-forwarded-for',
  ]
  assert.deepEqual(requestFields(sent, way, none), ['Host', 'h', 'Content-Length', '1', ...ownFields])
})

test('fields that a route sets replace those of the client, spelled with underscores too', () => {
  const without = new Set(['x-user', 'x_team'])
  const sent = ['X-User', 'a', 'x_USER', 'b', 'X_Team', 'c', 'X-Users', 'd']
  assert.deepEqual(requestFields(sent, way, without).slice(0, 2), ['X-Users', 'd'])
})

test('IPv6 is written as RFC 7239 wants it', () => {
  assert.ok(
    requestFields([], { ...way, address: '2001:db8::1' }, none).includes(
      'for="[2001:db8::1]";host="web.test";proto=https',
    ),
  )
})

test('of what a trusted proxy says twice, all is kept, and ours comes last', () => {
  const sent = ['X-Forwarded-For', 'a', 'x-forwarded-for', 'b, c', 'Via', '1.0 x', 'via', '1.1 y']
  const fields = requestFields(sent, { ...way, trusted: true }, none)
  assert.equal(fields[fields.indexOf('X-Forwarded-For') + 1], 'a, b, c, 192.0.2.1')
  assert.equal(fields[fields.indexOf('Via') + 1], '1.0 x, 1.1 y, 1.1 tunnelctl')
})

test('an untrusted client never says a word of the way, whatever it sends', () => {
  const name = fc.constantFrom(
    'X-Forwarded-For',
    'x_forwarded_for',
    'FORWARDED',
    'via',
    'X-Request-ID',
    'x-real_ip',
    'Connection',
    'X-Ok',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.constantFrom('evil', 'via', 'x-request-id', 'forwarded'))), pairs => {
      const fields = requestFields(pairs.flat(), way, none)
      for (let i = 0; i < fields.length; i += 2)
        if (fields[i] !== 'X-Ok') assert.ok(ownFields.includes(fields[i + 1] ?? ''), fields[i])
    }),
  )
})

test('answers lose the same, and gain a Via', () => {
  const sent = [
    'Set-Cookie',
    'a',
    'Connection',
    'close, x-hop',
    'X-Hop',
    '1',
    'Set-Cookie',
    'b',
    'Via',
    '1.1 v',
    'Transfer-Encoding',
    'chunked',
  ]
  const fields = responseFields(sent, (name, value) => name === 'set-cookie' && value === 'a', undefined)
  assert.deepEqual(fields, ['Set-Cookie', 'b', 'Via', '1.1 v, 1.1 tunnelctl'])
})

test('a trailer is nothing that steers or frames a message', () => {
  const sent = [
    'X-Sum',
    '1',
    'Content-Length',
    '1',
    'transfer-encoding',
    'x',
    'Host',
    'h',
    'Set-Cookie',
    'c',
    'Authorization',
    'a',
  ]
  assert.deepEqual(trailerFields([...sent, 'Connection', 'x', 'Trailer', 'x', 'Proxy-Authorization', 'p']), [
    ['X-Sum', '1'],
  ])
})

test('a loop is told by our own name in any Via, and by no other', () => {
  assert.ok(isLoop(['Via', '1.1 a, 1.1 tunnelctl']))
  assert.ok(isLoop(['via', '1.0 x', 'VIA', 'HTTP/1.1  tunnelctl (comment)']))
  assert.ok(!isLoop(['Via', '1.1 tunnelctl.example, 1.1 x (tunnelctl)', 'X-Via', '1.1 tunnelctl']))
})

test('over TLS an answer says for how long to come over TLS, unless the service says it itself', () => {
  const none = () => false
  const hsts = 'max-age=1'
  assert.deepEqual(responseFields([], none, hsts), ['Strict-Transport-Security', hsts, 'Via', '1.1 tunnelctl'])
  const own = ['strict-transport-security', 'max-age=0']
  assert.deepEqual(responseFields(own, none, hsts), [...own, 'Via', '1.1 tunnelctl'])
  assert.deepEqual(responseFields([], none, undefined), ['Via', '1.1 tunnelctl'])
})
