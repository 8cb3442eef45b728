/** HTTP of many shapes, from a client and from a service: what is recorded of the ingress. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { closePayload, Opcode } from '../../src/carrier/framing.ts'
import { HOST } from './recording.ts'
import { encodeFrame } from './wire.ts'

const GET = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n`
const MASK = Buffer.alloc(4)
const FRAMES = [
  encodeFrame(Buffer.from('hello'), { opcode: Opcode.TEXT, mask: MASK }),
  encodeFrame(Buffer.alloc(0), { opcode: Opcode.PING, mask: MASK }),
  encodeFrame(closePayload(1000, 'done'), { opcode: Opcode.CLOSE, mask: MASK }),
].map(frame => frame.toString('latin1'))

/** Each on a connection of its own. */
export const WEB_REQUESTS: readonly string[] = [
  `${GET}Accept: */*\r\nCookie: a=b\r\nConnection: close\r\n\r\n`,
  `${GET}\r\n${GET.replace('/', '/chunked')}\r\n${GET.replace('/', '/empty')}\r\n`,
  `${GET.replace('GET', 'HEAD')}\r\n`,
  `${GET.replace('GET', 'POST')}Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello`,
  `${GET.replace('GET', 'POST')}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n`,
  `${GET.replace('GET', 'PUT')}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok`,
  `${GET.replace('/', '/hints?q=1')}X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n\r\n`,
  `${GET.replace('/', '/large')}Accept-Encoding: gzip\r\n\r\n`,
  `OPTIONS * HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
  `${GET.replace('HTTP/1.1', 'HTTP/1.0')}\r\n`,
  `${GET.replace('/', '/socket')}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n${FRAMES.join('')}`,
]

/** Answers each path in a way of its own. */
export function webService(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  switch ((request.url ?? '').split('?')[0]) {
    case '/chunked':
      response.writeHead(200, { trailer: 'X-Sum', 'content-type': 'text/plain' })
      response.write('some ')
      response.addTrailers({ 'X-Sum': '9' })
      return void response.end('body')
    case '/empty':
      return void response.writeHead(304, { etag: '"1"' }).end()
    case '/hints':
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      return void response.writeHead(302, { location: '/elsewhere', 'set-cookie': ['a=1', 'b=2; Secure'] }).end()
    case '/large':
      return void response.end('large '.repeat(300))
    default:
      return void response.end('ok')
  }
}
