import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { formatHostPort, listen, parseHostPort } from '../../src/net/listen.ts'

test('an address is a host and a port, in every form that users write', () => {
  for (const [text, host, port] of [
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['localhost:0', 'localhost', 0],
    ['[::1]:65535', '::1', 65_535],
    ['[fe80::1%eth0]:1', 'fe80::1%eth0', 1],
    [':8080', '::', 8080],
  ] as const) {
    assert.deepEqual(parseHostPort(text), { host, port })
  }
})

test('what is no address is a usage error that says how to write one', () => {
  for (const text of [
    '',
    '8080',
    'host',
    'host:',
    'host:65536',
    '::1:80',
    '[::1]',
    '[x]:1',
    'a:b:1',
    'host:-1',
    'h:1x',
  ]) {
    assert.throws(() => parseHostPort(text), { code: 'USAGE', hint: /HOST:PORT/ }, text)
  }
})

test('an address is printed so that it can be read again', () => {
  for (const text of ['127.0.0.1:80', '[::1]:80']) assert.equal(formatHostPort(parseHostPort(text)), text)
})

test('listening gives the address that was bound; a port that is taken is PORT_TAKEN, and no other address helps', async t => {
  const [first, second] = [createServer(), createServer()]
  t.after(() => {
    first.close()
    second.close()
  })
  const address = await listen(first, { host: '127.0.0.1', port: 0 })
  const { port } = parseHostPort(address)
  assert.ok(port > 0)
  await assert.rejects(listen(second, { host: '127.0.0.1', port }), {
    code: 'PORT_TAKEN',
    message: `cannot listen on 127.0.0.1:${port}: the port is taken`,
  })
  await assert.rejects(listen(second, { host: '192.0.2.1', port: 0 }), { code: 'LISTEN', message: /does not have/ })
})

test('a name that does not resolve is LISTEN with the reason', async () => {
  const server = createServer()
  await assert.rejects(listen(server, { host: 'no-such-host.invalid', port: 0 }), {
    code: 'LISTEN',
    message: /resolve/,
  })
})
