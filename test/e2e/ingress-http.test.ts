/** What HTTP/1.1 promises holds through the ingress as if the service were asked directly. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import {
  ask,
  asking,
  heard,
  heardUntil,
  hostFor,
  read,
  serveHttp,
  serveRaw,
  startIngress,
  talk,
} from '../support/ingress.ts'
import { dial, within } from '../support/sockets.ts'

const scope = { after }
type Handler = (request: IncomingMessage, response: ServerResponse) => unknown
/** What the service does at each path. */
const handlers = new Map<string, Handler>()
const { port: app, server } = await serveHttp(scope, (request, response) => {
  const handler = handlers.get(request.url ?? '')
  if (handler === undefined) response.end(`${request.method} ${request.url}`)
  else void handler(request, response)
})
let raw: (socket: Socket) => void = () => {}
const rawService = await serveRaw(scope, socket => raw(socket))
const { port, gateway } = await startIngress(scope, {
  services: { 'web/prod:80': app, 'raw/prod:80': rawService.port },
})
const target = 'web/prod:80'
const host = `Host: ${hostFor(target)}\r\n`

test('bodies go in chunks both ways, with trailers at their ends', async () => {
  handlers.set('/trailers', async (request, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' })
    const { body, trailers } = await read(request)
    response.write(body.toString().toUpperCase())
    response.addTrailers({ 'X-Sum': trailers.join('=') })
    response.end()
  })
  const { request, answered } = asking(port, { target, method: 'POST', path: '/trailers' })
  request.setHeader('Trailer', 'X-Mine')
  for (const part of ['one ', 'two ', 'three']) request.write(part)
  request.addTrailers({ 'X-Mine': 'sum' })
  request.end()
  const { body, trailers, headers } = await read(await answered)
  assert.equal(body.toString(), 'ONE TWO THREE')
  assert.deepEqual(trailers, ['X-Sum', 'X-Mine=sum'])
  assert.equal(headers.trailer, 'X-Sum')
})

test('trailers are left out where there is no room for them: HEAD, and HTTP/1.0', async () => {
  const answer = (method: string) => {
    raw = socket => {
      const body = method === 'HEAD' ? '' : '2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n'
      socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${body}`)
    }
  }
  answer('HEAD')
  assert.equal((await ask(port, { target: 'raw/prod:80', method: 'HEAD' })).status, 200)
  answer('GET')
  const old = await talk(port, `GET / HTTP/1.0\r\nHost: ${hostFor('raw/prod:80')}\r\n\r\n`)
  assert.match(old, /^HTTP\/1\.1 200 OK\r\n/)
  assert.ok(old.endsWith('\r\n\r\nhi'), old)
})

test('a coded body is nobody else’s business: the same bytes, and the same fields', async () => {
  const zipped = gzipSync('x'.repeat(100_000))
  handlers.set('/gzip', (request, response) => {
    response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': zipped.length, Vary: 'Accept-Encoding' })
    response.end(request.headers['accept-encoding'] === 'gzip;q=1, br' ? zipped : 'not asked so')
  })
  const answer = await ask(port, { target, path: '/gzip', headers: { 'accept-encoding': 'gzip;q=1, br' } })
  assert.deepEqual(answer.body, zipped)
  assert.deepEqual([answer.headers['content-encoding'], answer.headers['content-length']], ['gzip', `${zipped.length}`])
})

test('events arrive one by one, each before the next is sent, and the head before the first', async () => {
  let events: ServerResponse | undefined
  handlers.set('/events', (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    events = response
  })
  const { request, answered } = asking(port, { target, path: '/events' })
  request.end()
  const answer = await answered
  for (let i = 0; i < 5; i++) {
    events?.write(`data: ${i}\n\n`)
    const [chunk] = (await within(once(answer, 'data'), `event ${i}`)) as [Buffer]
    assert.equal(chunk.toString(), `data: ${i}\n\n`)
  }
  request.destroy()
  await within(once(events as ServerResponse, 'close'), 'end at the service')
})

test('a long poll is held as long as the service holds it', async () => {
  const { promise: release, resolve } = withResolvers()
  const { promise: asked, resolve: seen } = withResolvers()
  handlers.set('/poll', async (_, response) => {
    seen()
    await release
    response.end('news')
  })
  const answer = ask(port, { target, path: '/poll' })
  await asked
  assert.equal((await ask(port, { target, path: '/other' })).body.toString(), 'GET /other')
  resolve()
  assert.equal((await answer).body.toString(), 'news')
})

test('a service that speaks while it still listens is heard, and hears the head before any body', async () => {
  handlers.set('/both', (request, response) => {
    response.writeHead(200).flushHeaders()
    request.on('data', chunk => response.write(`<${chunk}>`))
    request.on('end', () => response.end())
  })
  const { request, answered } = asking(port, { target, method: 'POST', path: '/both' })
  request.flushHeaders()
  const answer = await answered
  for (const word of ['ping', 'pong']) {
    request.write(word)
    assert.equal(String((await within(once(answer, 'data'), word))[0]), `<${word}>`)
  }
  request.end()
  await once(answer, 'end')
})

const expecting = (version = '1.1', length = 4): string =>
  `POST /expect HTTP/${version}\r\n${host}Expect: 100-continue\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`

test('who asks whether to go on is told so by the service, and not before', async () => {
  handlers.set('/expect', async (request, response) => response.end((await read(request)).body))
  const { promise: asked, resolve } = withResolvers()
  const { promise: told, resolve: tell } = withResolvers()
  server.once('checkContinue', async (request, response) => {
    resolve()
    await told
    response.writeContinue()
    server.emit('request', request, response)
  })
  const socket = await dial(port)
  socket.write(expecting())
  await asked
  assert.equal(socket.bytesRead, 0)
  tell()
  assert.equal(await heardUntil(socket, '\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write('body')
  assert.match(await heard(socket), /\r\n\r\nbody$/)
})

test('a service that refuses before the body gets none, and the refusal arrives whole', async () => {
  server.once('checkContinue', (_, response) => response.writeHead(413).end('too much'))
  const answer = await talk(port, expecting('1.1', 1_000_000))
  assert.match(answer, /^HTTP\/1\.1 413 Payload Too Large\r\n/)
  assert.match(answer, /too much/)
  assert.doesNotMatch(answer, /100 Continue/)
})

test('a refused body that was not sent is not taken for the next request', async () => {
  server.once('checkContinue', (_, response) => response.writeHead(417).end('no'))
  const answer = await talk(port, expecting('1.1', 1_000).replace('Connection: close\r\n', ''))
  assert.match(answer, /^HTTP\/1\.1 417 /)
  assert.match(answer, /^connection: close\r$/im)
})

test('HTTP/1.0 knows no 1xx, and gets none', async () => {
  handlers.set('/hints', (_, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.end('done')
  })
  assert.match(await talk(port, `GET /hints HTTP/1.0\r\n${host}\r\n`), /^HTTP\/1\.1 200 /)
  raw = socket => socket.end('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const answer = await talk(port, `${expecting('1.0').replace(host, `Host: ${hostFor('raw/prod:80')}\r\n`)}body`)
  assert.match(answer, /^HTTP\/1\.1 200 /)
})

test('F116: of a thousand early hints ten pass, with their links alone; a 100 that nobody waits for does not', async () => {
  const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Secret: s\r\n\r\n'
  const others = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 What\r\n\r\n'
  raw = socket => socket.end(`${others.repeat(50)}${hint.repeat(1000)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)
  const answer = await talk(port, `GET / HTTP/1.1\r\nHost: ${hostFor('raw/prod:80')}\r\nConnection: close\r\n\r\n`)
  const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status)
  assert.deepEqual(statuses, [...Array.from({ length: 10 }, () => '103'), '200'])
  assert.doesNotMatch(answer, /X-Secret/)
})

test('clients of HTTP/1.0 are served, and kept when they ask for it', async () => {
  assert.match(await talk(port, `GET /old HTTP/1.0\r\n${host}\r\n`), /\r\n\r\nGET \/old$/)
  handlers.set('/sized', (_, response) => response.writeHead(200, { 'Content-Length': 2 }).end('ok'))
  const socket = await dial(port)
  for (let i = 0; i < 2; i++) {
    socket.write(`GET /sized HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`)
    assert.match(await heardUntil(socket, '\r\n\r\nok'), /^connection: keep-alive\r$/im)
  }
  socket.destroy()
})

test('requests that are sent ahead are answered in their order', async () => {
  handlers.set('/slow', async (_, response) => {
    for (let i = 0; i < 20; i++) await turn()
    response.end('slow')
  })
  const paths = ['/slow', '/1', '/slow', '/2', '/3']
  const sent = paths.map((path, i) => `GET ${path} HTTP/1.1\r\n${host}${i === 4 ? 'Connection: close\r\n' : ''}\r\n`)
  const answers = (await talk(port, sent.join(''))).split('HTTP/1.1 200 OK').slice(1)
  assert.equal(answers.length, paths.length)
  for (const [i, path] of paths.entries()) assert.ok(answers[i]?.includes(path === '/slow' ? 'slow' : `GET ${path}`))
})

test('who asks to close is closed, and who does not is not', async () => {
  const socket = await dial(port)
  const small = 'GET /sized HTTP/1.1\r\n'
  socket.write(`${small}${host}\r\n`)
  assert.doesNotMatch(await heardUntil(socket, '\r\n\r\nok'), /close/)
  socket.write(`${small}${host}Connection: close\r\n\r\n`)
  assert.match(await heard(socket), /^connection: close\r$/im)
})

test('fields keep their order, their spelling, their duplicates and their bytes', async () => {
  const cookies = Array.from({ length: 50 }, (_, i) => `Set-Cookie: c${i}=${i}; Path=/\r\n`).join('')
  const fields = `x-B: 1\r\nX-a: 2\r\nx-B: 3\r\nX-Latin: caf\xe9 \xfc\r\nX-Empty: \r\n${cookies}`
  raw = socket => socket.end(Buffer.from(`HTTP/1.1 299 Caf\xe9\r\n${fields}Content-Length: 0\r\n\r\n`, 'latin1'))
  const request = `Cookie: a=1\r\nx-One: 1\r\nX-one: 2\r\ncookie: b=2; c="3"\r\nX-Latin: \xe4\r\nX-Empty: \r\n`
  const to = `Host: ${hostFor('raw/prod:80')}\r\n${request}Connection: close\r\n`
  for (const question of [`GET / HTTP/1.1\r\n${to}\r\n`, `POST / HTTP/1.1\r\n${to}Content-Length: 1\r\n\r\nx`]) {
    const before = rawService.received.length
    const answer = await talk(port, question)
    assert.ok(answer.includes(fields), answer.slice(0, 500))
    assert.match(answer, /^HTTP\/1\.1 299 Caf\xe9\r\n/)
    assert.ok(rawService.received[before]?.includes(request), rawService.received[before])
  }
})

test('no field of an answer is lost for being one of many', async () => {
  const many = Array.from({ length: 2_500 }, () => 'a:\r\n').join('')
  raw = socket => socket.end(`HTTP/1.1 200 OK\r\n${many}Last: 1\r\nContent-Length: 0\r\n\r\n`)
  const answer = await talk(port, `GET / HTTP/1.1\r\nHost: ${hostFor('raw/prod:80')}\r\nConnection: close\r\n\r\n`)
  assert.equal(answer.match(/^a:/gm)?.length, 2_500)
  assert.match(answer, /^Last: 1\r$/m)
})

test('DELETE goes with a body or without, and other methods as they are', async () => {
  handlers.set('/echo', async (request, response) => {
    const { 'content-length': length = '-', 'transfer-encoding': coding = '-' } = request.headers
    response.end(`${request.method} ${length} ${coding} ${(await read(request)).body}`)
  })
  const said = async (method: string, body?: string, headers = {}) =>
    (await ask(port, { target, path: '/echo', method, ...(body !== undefined && { body }), headers })).body.toString()
  assert.equal(await said('DELETE'), 'DELETE - - ')
  assert.equal(await said('DELETE', 'x', { 'content-length': '1' }), 'DELETE 1 - x')
  assert.equal(await said('DELETE', 'x', { 'transfer-encoding': 'chunked' }), 'DELETE - chunked x')
  assert.equal(await said('POST'), 'POST 0 - ')
  assert.equal(await said('GET', 'x', { 'content-length': '1' }), 'GET 1 - x')
  assert.equal(await said('PROPFIND', 'x', { 'content-length': '1' }), 'PROPFIND 1 - x')
  assert.equal(await said('OPTIONS'), 'OPTIONS - - ')
})

test('the gateway has nothing to regret', () => {
  assert.doesNotMatch(gateway.process.stderr, /Error:|at .*\.js:/)
})

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
