import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DialogueError } from '../../src/connect/dialogue.ts'
import { HttpConnect } from '../../src/connect/http-connect.ts'
import { TunnelError } from '../../src/errors.ts'

const read = (text: string) => new HttpConnect().read(Buffer.from(text, 'latin1'))

test('CONNECT is read to the end of its head; what follows belongs to the connection', () => {
  const head = 'CONNECT api.prod:8080 HTTP/1.1\r\nHost: api.prod:8080\r\nUser-Agent: x\r\n\r\n'
  for (let end = 0; end < head.length; end++) assert.equal(read(head.slice(0, end)), undefined)
  const asked = read(`${head}\x16\x03`)
  assert.deepEqual([asked?.host, asked?.port, asked?.rest], ['api.prod', 8_080, Buffer.from([0x16, 3])])
})

test('anything else is refused with a status and a reason', () => {
  for (const [head, status] of [
    ['GET http://web.prod/ HTTP/1.1', '405 Method Not Allowed\r\nAllow: CONNECT'],
    ['CONNECT api.prod HTTP/1.1', '400 Bad Request'],
    ['CONNECT [::1]:80 HTTP/1.1', '400 Bad Request'],
    ['CONNECT api.prod:80 HTTP/2', '400 Bad Request'],
    ['\x16\x03\x01', '400 Bad Request'],
  ] as const) {
    assert.throws(
      () => read(`${head}\r\n\r\n`),
      (thrown: unknown) =>
        thrown instanceof DialogueError && String(thrown.answer).startsWith(`HTTP/1.1 ${status}\r\n`),
      head,
    )
  }
})

test('a failure is a status, with its code and reason, escaped', () => {
  const text = String(new HttpConnect().failed(new TunnelError('DENIED', 'not \x1b[31mallowed\r\n')))
  assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/)
  const [head = '', body = ''] = text.split('\r\n\r\n')
  assert.match(body, /^DENIED: not \\x1b\[31mallowed/)
  assert.match(head, new RegExp(`Content-Length: ${Buffer.byteLength(body)}`))
  assert.match(String(new HttpConnect().failed(new TunnelError('REFUSED', 'x'))), /^HTTP\/1\.1 502 /)
})
