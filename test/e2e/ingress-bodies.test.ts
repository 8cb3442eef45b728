/** Bodies of any size: the same bytes, little memory, and whoever leaves or breaks on one side is seen on the other. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable, type Stream } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, asking, heard, heardUntil, hostFor, read, serveHttp, startIngress, talk } from '../support/ingress.ts'
import { eventually } from '../support/processes.ts'
import { dial, outcome, pattern, serve, within } from '../support/sockets.ts'

const GIB = 1024 * 1024 * 1024
const MIB = 1024 * 1024
const scope = { after }
let listener: RequestListener = (_, response) => response.end()
let raw: (socket: Socket) => void = () => {}
const { port: app } = await serveHttp(scope, (request, response) => listener(request, response))
const { port, gateway, agent, logged } = await startIngress(scope, {
  services: { 'web/prod:80': app, 'raw/prod:80': await serve(scope, socket => raw(socket)) },
})
const target = 'web/prod:80'
const host = `Host: ${hostFor(target)}\r\n`
const rawHost = `Host: ${hostFor('raw/prod:80')}\r\n`
const chunk = Buffer.alloc(MIB, 'mebibyte')

/** Bytes in all; rejects at the first that is not where `pattern` has it. */
async function checked(message: IncomingMessage): Promise<number> {
  const blocks = pattern(GIB)
  let expected = Buffer.alloc(0)
  let total = 0
  for await (const part of message as AsyncIterable<Buffer>) {
    for (let at = 0; at < part.length; ) {
      if (expected.length === 0) expected = blocks.next().value ?? assert.fail('more than was sent')
      const length = Math.min(expected.length, part.length - at)
      if (part.compare(expected, 0, length, at, at + length) !== 0) throw new Error(`not the same at ${total + at}`)
      expected = expected.subarray(length)
      at += length
    }
    total += part.length
  }
  return total
}

async function closed(one: Stream): Promise<void> {
  if (!(one as Socket).closed) await within(new Promise(resolve => one.once('close', resolve)), 'end', 5_000)
}

/** How much larger the gateway became while `task` ran. */
async function growth(task: () => Promise<void>): Promise<number> {
  const size = () => gateway.process.residentBytes ?? 0
  const before = size()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, size())
  }, 20)
  try {
    await task()
  } finally {
    clearInterval(timer)
  }
  return most - before
}

/** So that what a process needs once does not count. */
async function warm(): Promise<void> {
  listener = async (request, response) => response.end(String((await read(request)).body.length))
  for (let i = 0; i < 2; i++) {
    const { request, answered } = asking(port, { target, method: 'POST' })
    await pipeline(Readable.from(pattern(64 * MIB)), request)
    await read(await answered)
  }
}

test('a gibibyte goes up in a stream, and the gateway keeps little of it', async () => {
  await warm()
  listener = async (request, response) => response.end(String(await checked(request)))
  const grown = await growth(async () => {
    const { request, answered } = asking(port, { target, method: 'POST' })
    await pipeline(Readable.from(pattern(GIB)), request)
    assert.equal((await read(await answered)).body.toString(), String(GIB))
  })
  assert.ok(grown < 64 * MIB, `grew by ${grown} bytes`)
})

test('a gibibyte comes down in a stream, and the gateway keeps little of it', async () => {
  listener = (_, response) => {
    response.writeHead(200, { 'Content-Length': GIB })
    void pipeline(Readable.from(pattern(GIB)), response)
  }
  const grown = await growth(async () => {
    const { request, answered } = asking(port, { target })
    request.end()
    assert.equal(await checked(await answered), GIB)
  })
  assert.ok(grown < 64 * MIB, `grew by ${grown} bytes`)
})

test('a hundred uploads to a service that does not read wait, and cost little', async () => {
  const held: IncomingMessage[] = []
  listener = request => held.push(request)
  let sent = 0
  const grown = await growth(async () => {
    const uploads = Array.from({ length: 100 }, () => {
      const { request } = asking(port, { target, method: 'POST', headers: { 'content-length': String(64 * MIB) } })
      const send = () => {
        sent += chunk.length
        while (sent < GIB && request.write(chunk)) sent += chunk.length
      }
      request.on('drain', send)
      send()
      return request
    })
    await eventually(
      () => held.length === 100,
      () => `${held.length} uploads at the service`,
    )
    // Until nothing moves any more.
    for (let before = -1; before !== sent; await sleep(200)) before = sent
    for (const each of uploads) each.destroy()
    await Promise.all(held.map(each => closed(each.on('error', () => {}).resume())))
  })
  assert.ok(grown < 200 * MIB, `grew by ${grown} bytes`)
})

test('a client that leaves in the middle of a download frees the service soon', async () => {
  let answer: ServerResponse | undefined
  listener = (_, response) => {
    answer = response
    pipeline(Readable.from(pattern(GIB)), response).catch(() => {})
  }
  const { request, answered } = asking(port, { target, path: '/down' })
  request.end()
  await once(await answered, 'data')
  request.destroy()
  await closed(answer as ServerResponse)
  assert.equal((await logged(({ path }) => path === '/down')).code, 'CLIENT_LEFT')
})

test('a client that leaves in the middle of an upload, or before an answer, frees the service soon', async () => {
  for (const path of ['/up', '/wait']) {
    const arrived = new Promise<IncomingMessage>(resolve => {
      listener = request => resolve(request.resume())
    })
    const { request } = asking(port, { target, path, method: 'POST', headers: { 'content-length': '1000000' } })
    request.write('some')
    const { socket } = await arrived
    request.destroy()
    await closed(socket)
    assert.equal((await logged(line => line.path === path)).code, 'CLIENT_LEFT')
  }
})

const cuts: Record<string, string> = {
  'with a length': 'Content-Length: 1000\r\n\r\nhalf',
  'in chunks': 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
  'up to its end': '\r\nhalf',
}
for (const [how, rest] of Object.entries(cuts)) {
  for (const version of ['1.0', '1.1']) {
    test(`F114: an answer ${how} that the service cuts is no whole answer to a client of HTTP/${version}`, async () => {
      let service: Socket | undefined
      raw = socket => {
        service = socket
        socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${rest}`))
      }
      const client = await dial(port)
      const path = `/cut-${how.replaceAll(' ', '-')}-${version}`
      client.write(`GET ${path} HTTP/${version}\r\n${rawHost}\r\n`)
      await heardUntil(client, 'half')
      service?.resetAndDestroy()
      assert.equal(await outcome(client), 'ECONNRESET')
      const { status, code } = await logged(event => event.path === path)
      assert.deepEqual([status, code], [200, 'PEER_RESET'])
    })
  }
}

test('an answer with a length that ends early is no whole answer', async () => {
  raw = socket => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'))
  await assert.rejects(ask(port, { target: 'raw/prod:80' }), { code: 'ECONNRESET' })
})

test('a service that answers before it has all of an upload is heard, and the next request served', async () => {
  raw = socket => {
    socket.once('data', () => {
      socket.end('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig')
      socket.pause()
    })
  }
  const client = await dial(port)
  client.write(`POST / HTTP/1.1\r\n${rawHost}Content-Length: ${8 * MIB}\r\n\r\n`)
  for (let i = 0; i < 4; i++) client.write(chunk)
  assert.match(await heardUntil(client, 'big'), /^HTTP\/1\.1 413 /)
  for (let i = 0; i < 4; i++) client.write(chunk)
  listener = (_, response) => response.end('next')
  client.write(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  assert.match(await heard(client), /^HTTP\/1\.1 200 OK\r\n/)
})

test('a service that answers and never ends its side is left behind', async () => {
  const handles = () => agent.process.handles ?? 0
  raw = socket => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  const before = handles()
  for (let i = 0; i < 10; i++) await ask(port, { target: 'raw/prod:80', method: 'POST' })
  assert.ok(handles() >= before + 10)
  await eventually(
    () => handles() <= before,
    () => `${handles()} handles at the agent, were ${before}`,
    10_000,
  )
})

test('an upload that is refused by the gateway itself hears why, however large it is', async () => {
  for (let i = 0; i < 5; i++) {
    const { request, answered } = asking(port, { target, path: '/a/../b', method: 'POST' })
    const sending = pipeline(Readable.from(pattern(32 * MIB)), request).catch(() => {})
    assert.equal((await read(await answered)).status, 400)
    await sending
  }
})

test('garbage behind a request is never written into its answer', async () => {
  raw = socket => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun'))
  const client = await dial(port)
  client.write(`GET / HTTP/1.1\r\n${rawHost}\r\n`)
  await heardUntil(client, 'begun')
  client.write('\0garbage\r\n\r\n')
  assert.equal(await heard(client), '')
})

test('every byte of an upload in odd pieces is where it was', async () => {
  listener = async (request, response) => {
    const { body } = await read(request)
    response.end(body)
  }
  const sent = Buffer.concat([...pattern(3 * MIB + 17)])
  const { request, answered } = asking(port, { target, method: 'PUT' })
  for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 7 + 3) % 65_537) {
    request.write(sent.subarray(at, at + size))
  }
  request.end()
  assert.ok((await read(await answered)).body.equals(sent))
})

test('nothing is left of all this: the gateway still answers, and holds few handles', async () => {
  assert.match(await talk(port, `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /)
  await eventually(
    () => (gateway.process.handles ?? 0) < 40,
    () => `${gateway.process.handles} handles`,
  )
  assert.doesNotMatch(gateway.process.stderr, /Error:|at .*\.js:/)
})
