/** HTTP heads and bodies that one reader takes for one thing and another for another, or nobody for anything. */
import type { Random } from '../sim/random.ts'
import { mutateBytes } from './mutation.ts'

const fields: readonly string[] = [
  ...['Content-Length: 0', 'Content-Length: 5', 'Content-Length: -1', 'Content-Length: 99999999999999999999'],
  ...['Content-Length: 5, 5', 'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding:'],
  ...['Connection: close', 'Connection: keep-alive, x-a', 'Connection: upgrade', 'Upgrade: websocket', 'Upgrade: h2c'],
  ...['Expect: 100-continue', 'Host: other.test', 'Host:', 'X-A: a\0b', 'X-A : b', ' folded: line', ': nothing'],
  ...['Sec-WebSocket-Protocol: tunnelctl.v1', 'Sec-WebSocket-Version: 99', 'Sec-WebSocket-Key: short'],
  ...['Sec-WebSocket-Extensions: permessage-deflate', 'Authorization: Bearer a.b.c', 'Authorization: Basic YTpi'],
  ...['Origin: http://evil.test', 'Cookie: a=b; tunnelctl=x', 'X-Forwarded-For: ::1, \x00', 'Forwarded: for="[::1'],
  ...[
    'Trailer: Content-Length',
    'TE: trailers',
    'Keep-Alive: timeout=0',
    'Date: never',
    '__proto__: x',
    'constructor: y',
  ],
]

const starts: readonly string[] = [
  ...['GET / HTTP/1.1', 'HEAD / HTTP/1.1', 'CONNECT a:80 HTTP/1.1', 'PRI * HTTP/2.0', 'GET  / HTTP/1.1', 'GET /'],
  ...['GET /../.. HTTP/1.1', 'GET /%2e%2e/%00 HTTP/1.1', 'GET http://other.test/ HTTP/1.1', 'GET //a HTTP/1.1'],
  ...['GET /v1/services HTTP/1.1', 'GET /v1/login HTTP/1.1', 'GET /v1/measure HTTP/1.1', 'POST /v1/measure HTTP/1.1'],
  ...[
    'POST /v1/open HTTP/1.1',
    'GET /.tunnelctl/login?code=x HTTP/1.1',
    'GET /v1/peer HTTP/1.1',
    'GET /v1/agent HTTP/1.1',
  ],
]

const answers: readonly string[] = [
  ...['HTTP/1.1 100 Continue', 'HTTP/1.1 101 Switching Protocols', 'HTTP/1.1 103 Early Hints', 'HTTP/1.1 199 x'],
  ...['HTTP/1.1 200 OK', 'HTTP/1.1 204 No Content', 'HTTP/1.1 304 Not Modified', 'HTTP/1.1 401 no', 'HTTP/1.1 500 no'],
  ...[
    'HTTP/1.1 503 no',
    'HTTP/1.1 000 x',
    'HTTP/1.1 999 x',
    'HTTP/1.1 2000 x',
    'HTTP/1.0 200 OK',
    'HTTP/2 200',
    'ICY 200',
  ],
]

/** Text as latin1, in which a byte is a character. */
export function mutateHttp(random: Random, text: string): string {
  const headEnd = text.indexOf('\r\n\r\n')
  const lines = (headEnd < 0 ? text : text.slice(0, headEnd)).split('\r\n')
  const body = headEnd < 0 ? '' : text.slice(headEnd + 4)
  const rebuilt = (changed: readonly string[], end = '\r\n') => `${changed.join(end)}${end}${end}${body}`
  const at = 1 + random.below(lines.length)
  switch (random.below(11)) {
    case 0:
      return rebuilt(lines.toSpliced(at, 1))
    case 1:
      return rebuilt(lines.toSpliced(at, 0, lines[at] ?? lines[1] ?? ''))
    case 2:
      return rebuilt(lines.with(0, random.pick(text.startsWith('HTTP') ? answers : starts)))
    case 3:
      return rebuilt(lines.toSpliced(at, 0, `X-Huge: ${'x'.repeat(random.pick([1_000, 8_000, 16_000, 70_000]))}`))
    case 4:
      return rebuilt(lines.concat(Array.from({ length: random.pick([10, 255, 300, 2_000]) }, (_, n) => `X-${n}: ${n}`)))
    case 5:
      return rebuilt(lines, random.pick(['\n', '\r', '\r\n ']))
    case 6:
      return (
        rebuilt(lines) + random.pick([text, '\0', '0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n'])
      )
    case 7:
      return mutateBody(random, text, headEnd)
    case 8:
      return mutateBytes(random, Buffer.from(text, 'latin1')).toString('latin1')
    default:
      return rebuilt(lines.toSpliced(at, 0, random.pick(fields)))
  }
}

function mutateBody(random: Random, text: string, headEnd: number): string {
  const chunked = 'Transfer-Encoding: chunked\r\n'
  const head = headEnd < 0 ? text : text.slice(0, headEnd)
  const size = random.pick([
    '5',
    '0',
    '-1',
    'g',
    'ffffffffffffffff',
    '00000000000000005',
    '5 ;a',
    `5;${'e'.repeat(20_000)}`,
  ])
  const end = random.pick([
    '0\r\n\r\n',
    '0\r\nX-Sum: 1\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '0\r\n',
    '',
    '1\r\n',
  ])
  return `${head}\r\n${chunked}\r\n${size}\r\nhello${random.pick(['\r\n', '\n', ''])}${end}`
}
