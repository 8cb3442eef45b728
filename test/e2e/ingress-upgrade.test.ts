/** Upgrades byte by byte: what passes when, in one piece or in several, and what never does. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { heardUntil, hostFor, serveRaw, startIngress, statusOf, talk } from '../support/ingress.ts'
import { eventually } from '../support/processes.ts'
import { dial, outcome, readAll } from '../support/sockets.ts'

const scope = { after }
let raw: (socket: Socket) => void = () => {}
const service = await serveRaw(scope, socket => raw(socket))
const { port, gateway, agent, logged } = await startIngress(scope, {
  services: { 'raw/prod:80': service.port },
  gatewayArgs: ['--ingress-timeout', '2s'],
})
const host = `Host: ${hostFor('raw/prod:80')}\r\n`
const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
const upgrade = (path = '/', fields = websocket + key): string => `GET ${path} HTTP/1.1\r\n${host}${fields}\r\n`
const agreed = `HTTP/1.1 101 Switching Protocols\r\n${websocket}\r\n`

test('F112: what the service says first arrives, also in one piece with its 101', async () => {
  for (const behind of ['hello', 'x'.repeat(100_000)]) {
    raw = socket => socket.write(agreed + behind)
    const client = await dial(port)
    client.write(upgrade())
    assert.match(await heardUntil(client, behind), /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    client.destroy()
  }
})

test('F112: what the client says behind its request waits for the 101, and arrives whole', async () => {
  const early = 'e'.repeat(50_000)
  let seen = ''
  raw = socket => {
    seen = service.received.at(-1)?.split('\r\n\r\n')[1] ?? ''
    socket.write(agreed)
  }
  const client = await dial(port)
  client.write(upgrade('/early') + early)
  await heardUntil(client, '\r\n\r\n')
  assert.equal(seen, '')
  client.write('late')
  await eventually(
    () => service.received.at(-1)?.endsWith(`\r\n\r\n${early}late`) === true,
    () => 'not all of it arrived',
  )
  client.destroy()
  assert.equal((await logged(({ path }) => path === '/early')).bytesIn, early.length + 4)
})

test('a request is passed on with its handshake, and the answer with its own', async () => {
  raw = socket => socket.end(`${agreed.slice(0, -2)}Sec-WebSocket-Accept: abc=\r\nX-Latin: caf\xe9\r\n\r\n`, 'latin1')
  const answer = await talk(
    port,
    upgrade('/chat?x', `${websocket}${key}Sec-WebSocket-Protocol: a, b\r\nOrigin: http://x\r\n`),
  )
  assert.match(answer, /^Sec-WebSocket-Accept: abc=\r\nX-Latin: caf\xe9\r$/m)
  const seen = service.received.at(-1) ?? ''
  assert.match(seen, /^GET \/chat\?x HTTP\/1\.1\r\n/)
  assert.match(seen, /^Sec-WebSocket-Protocol: a, b\r\nOrigin: http:\/\/x\r$/m)
  assert.match(seen, /^Connection: Upgrade\r\nUpgrade: websocket\r$/m)
})

test('halves are closed one by one, in both directions', async () => {
  raw = socket => {
    socket.removeAllListeners('end')
    socket.write(agreed)
    socket.on('end', () => socket.end('goodbye'))
  }
  const client = await dial(port)
  client.write(upgrade())
  await heardUntil(client, '\r\n\r\n')
  client.end('last words')
  assert.equal((await readAll(client)).toString(), 'goodbye')
  assert.ok(service.received.at(-1)?.endsWith('last words'))
  raw = socket => socket.end(`${agreed}bye`)
  const other = await dial(port)
  other.write(upgrade())
  assert.match((await readAll(other)).toString(), /bye$/)
  other.end('still heard')
  await eventually(
    () => service.received.at(-1)?.endsWith('still heard') === true,
    () => 'the other half is closed',
  )
})

test('a reset on one side is a reset on the other', async () => {
  let at: Socket | undefined
  raw = socket => {
    at = socket
    socket.write(agreed)
  }
  for (const by of ['client', 'service']) {
    const client = await dial(port)
    client.write(upgrade())
    await heardUntil(client, '\r\n\r\n')
    const other = outcome(by === 'client' ? (at as Socket) : client)
    if (by === 'client') client.resetAndDestroy()
    else at?.resetAndDestroy()
    assert.equal(await other, 'ECONNRESET')
  }
})

const answers: Record<string, string> = {
  'of 200': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'of 401': 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nno',
  'of 500': 'HTTP/1.1 500 Internal Server Error\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n',
  'of 426': 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n',
  'in chunks': 'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n4\r\n way\r\n0\r\n\r\n',
  'up to its end': 'HTTP/1.1 200 OK\r\n\r\nall of it',
  'of 204': 'HTTP/1.1 204 No Content\r\n\r\n',
}
for (const [what, said] of Object.entries(answers)) {
  test(`F110: an answer ${what} is passed on as it is, and what is behind the request is not`, async () => {
    raw = socket => {
      socket.write(said)
      if (what === 'up to its end') socket.end()
    }
    const smuggled = upgrade('/smuggled')
    const answer = await talk(port, upgrade('/no') + smuggled)
    const [head = '', body] = said.split('\r\n\r\n')
    for (const line of head.split('\r\n')) assert.ok(answer.includes(`${line}\r\n`), answer)
    assert.match(answer, /^connection: close\r$/im)
    if (what !== 'in chunks' && body !== '') assert.ok(answer.includes(body ?? ''), answer)
    if (what === 'in chunks') assert.match(answer, /\r\n\r\n2\r\nno\r\n4\r\n way\r\n0\r\n\r\n$/)
    assert.equal(answer.split('HTTP/1.1 ').length, 2)
    assert.doesNotMatch(service.received.at(-1) ?? '', /smuggled/)
    await eventually(
      () => (agent.process.handles ?? 0) < 40 && (gateway.process.handles ?? 0) < 40,
      () => 'not freed',
    )
  })
}

test('an answer that the service cuts is cut', async () => {
  let cut = () => {}
  raw = socket => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
    cut = () => socket.resetAndDestroy()
  }
  const client = await dial(port)
  client.write(upgrade('/cut'))
  const answer = await heardUntil(client, 'half')
  assert.equal(statusOf(answer), 200)
  cut()
  assert.equal(await outcome(client), 'ECONNRESET')
  assert.equal((await logged(({ path }) => path === '/cut')).code, 'PEER_RESET')
})

const wrong: Record<string, string> = {
  'to another protocol': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  'to two protocols': `HTTP/1.1 101 Switching Protocols\r\n${websocket}Upgrade: h2c\r\n\r\n`,
  'to no protocol': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n',
  'without Connection': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
  'with nothing': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
}
for (const [how, said] of Object.entries(wrong)) {
  test(`F111: a 101 ${how} is 502 at once`, async () => {
    raw = socket => socket.write(`${said}inside`)
    const began = performance.now()
    const answer = await talk(port, upgrade())
    assert.equal(statusOf(answer), 502, answer)
    assert.ok(performance.now() - began < 1_500)
    assert.doesNotMatch(answer, /inside/)
  })
}

const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\n${host}${fields}\r\n${body}`
const refused: Record<string, [status: number, request: string]> = {
  'to h2c': [501, upgrade('/', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n')],
  'to TLS': [501, upgrade('/', 'Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n')],
  'to one of two': [501, upgrade('/', `Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n${key}`)],
  'to one of two in two fields': [501, upgrade('/', `${websocket}Upgrade: h2c\r\n${key}`)],
  'with a body': [400, `${upgrade('/', `${websocket}${key}Content-Length: 4\r\n`)}body`],
  'with a body in chunks': [400, `${upgrade('/', `${websocket}${key}Transfer-Encoding: chunked\r\n`)}0\r\n\r\n`],
  'without a key': [400, upgrade('/', websocket)],
  'by POST': [400, post(websocket + key)],
  'with a path that goes up': [400, upgrade('/a/../b')],
  'with another host in the request line': [400, upgrade('http://other.example/')],
}
for (const [what, [status, request]] of Object.entries(refused)) {
  test(`F109: an upgrade ${what} is ${status}, and the service sees nothing`, async () => {
    const before = service.received.length
    const answer = await talk(port, request + upgrade('/smuggled'))
    assert.equal(statusOf(answer), status, answer)
    assert.match(answer, /^X-Request-Id: [\w-]+\r$/m)
    assert.equal(answer.split('HTTP/1.1 ').length, 2)
    assert.equal(service.received.length, before)
  })
}

test('an Upgrade that Connection does not name is an ordinary request', async () => {
  raw = socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const answer = await talk(port, upgrade('/', `Connection: close\r\nUpgrade: h2c\r\n`))
  assert.match(answer, /ok$/)
  assert.doesNotMatch(service.received.at(-1) ?? '', /^upgrade:/im)
})

test('F114: a service that neither agrees nor refuses is 504, and one that closes 502', async () => {
  raw = () => {}
  assert.equal(statusOf(await talk(port, upgrade())), 504)
  raw = socket => socket.destroy()
  assert.equal(statusOf(await talk(port, upgrade())), 502)
})

test('a client that leaves before the 101 frees the service', async () => {
  let gone: Promise<string> | undefined
  const asked = new Promise<void>(resolve => {
    raw = socket => {
      gone = outcome(socket)
      resolve()
    }
  })
  const client = await dial(port)
  client.write(upgrade())
  await asked
  client.resetAndDestroy()
  await gone
  assert.doesNotMatch(gateway.process.stderr, /Error:|at .*\.js:/)
})
