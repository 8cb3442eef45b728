/** Connections to services that carry more than one request: which do, and that nothing is asked twice that must not be. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { ask, startIngress } from '../support/ingress.ts'
import { outcome, serve } from '../support/sockets.ts'

const scope = { after }
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const target = 'raw/prod:80'
/** The same service, with connections of its own. */
const unused = 'unused/prod:80'
/** Every request, and the connection that it came on. */
let asked: { readonly method: string; readonly connection: number }[] = []
let connections = 0
let respond: (socket: Socket, nth: number) => void
const service = await serve(scope, socket => {
  const connection = ++connections
  let text = ''
  let nth = 0
  socket.on('end', () => socket.end())
  socket.on('data', chunk => {
    text += chunk.toString()
    for (const [head, method = ''] of text.matchAll(/^([A-Z]+) .*\r\n(?:.+\r\n)*\r\n/gm)) {
      text = text.replace(head, '')
      asked.push({ method, connection })
      respond(socket, ++nth)
    }
  })
})
const { port, logged } = await startIngress(scope, { services: { [target]: service, [unused]: service } })

function begin(how: typeof respond): void {
  asked = []
  connections = 0
  respond = how
}

const times = async (n: number, method: string): Promise<void> => {
  for (let i = 0; i < n; i++) assert.equal((await ask(port, { target, method })).status, 200)
}

test('GET, HEAD and OPTIONS share a connection, and the log says so', async () => {
  begin(socket => socket.write(answer))
  await times(3, 'GET')
  await times(1, 'OPTIONS')
  assert.equal(connections, 1)
  assert.equal((await logged(({ method }) => method === 'OPTIONS')).reused, true)
})

test('what changes something has a connection of its own', async () => {
  begin(socket => socket.write(answer))
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) await times(2, method)
  assert.deepEqual(
    asked.map(({ connection }) => connection),
    [1, 2, 3, 4, 5, 6, 7, 8],
  )
})

test('a GET with a body has one too', async () => {
  begin(socket => socket.write(answer))
  for (let i = 0; i < 2; i++)
    await ask(port, { target, method: 'GET', headers: { 'content-length': '4' }, body: 'body' })
  assert.equal(connections, 2)
})

const closing: Record<string, (socket: Socket) => void> = {
  'by a reset': socket => socket.resetAndDestroy(),
  'in order': socket => socket.end(),
  'on its own side alone': socket => void socket.removeAllListeners('end').end(),
  'in the middle of the head': socket => void socket.end('HTTP/1.1 2'),
}
for (const [how, close] of Object.entries(closing)) {
  test(`a service that closes ${how} at the moment of the second request is asked again, over a new connection`, async () => {
    begin((socket, nth) => {
      if (nth === 1) socket.write(answer)
      else close(socket)
    })
    await times(4, 'GET')
    for (const { method } of asked) assert.equal(method, 'GET')
    // Some were asked again, none more often than once.
    assert.ok(asked.length > 4 && asked.length <= 8, JSON.stringify(asked))
    assert.ok(new Set(asked.map(({ connection }) => connection)).size > 1, JSON.stringify(asked))
  })
}

test('a service that closes right behind its answer loses no request, a hundred times', async () => {
  begin(socket => socket.end(answer))
  await times(100, 'GET')
})

test('one that closes a new connection without an answer is asked once', async () => {
  begin(socket => socket.destroy())
  for (const method of ['GET', 'POST']) {
    asked = []
    assert.equal((await ask(port, { target: unused, method })).status, 502)
    assert.deepEqual(
      asked.map(each => each.method),
      [method],
    )
  }
})

test('a POST is never sent twice, and never over a connection that was idle', async () => {
  begin((socket, nth) => {
    if (nth === 1) socket.write(answer)
    else socket.resetAndDestroy()
  })
  await times(1, 'GET')
  await times(5, 'POST')
  assert.deepEqual(
    asked.map(({ method }) => method),
    ['GET', ...Array.from({ length: 5 }, () => 'POST')],
  )
  assert.equal(new Set(asked.map(({ connection }) => connection)).size, 6)
})

test('a connection on which a service says something unasked is left at once', async () => {
  const idle: Socket[] = []
  begin(socket => {
    socket.write(answer)
    idle.push(socket)
  })
  for (let i = 1; i <= 5; i++) {
    assert.equal((await ask(port, { target })).body.toString(), 'ok')
    const left = outcome(idle.at(-1) as Socket)
    idle.at(-1)?.write(answer.replace('ok', 'no'))
    await left
    assert.equal(new Set(idle).size, i)
  }
})

test('fifty at once have fifty connections, which then serve others', async () => {
  const held: Socket[] = []
  begin(socket => {
    held.push(socket)
    if (held.length === 50) for (const each of held) each.write(answer)
  })
  const all = await Promise.all(Array.from({ length: 50 }, () => ask(port, { target })))
  assert.ok(all.every(({ status }) => status === 200))
  assert.ok(connections >= 49, `${connections}`)
  const before = connections
  respond = socket => socket.write(answer)
  await Promise.all(Array.from({ length: 50 }, () => ask(port, { target })))
  assert.equal(connections, before)
})
