/**
 * What a client is told when the service has nothing to say: a status, a fixed sentence, and the number under which the log has it;
 * never a word of the service's.
 */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import {
  type Answer,
  ask,
  asking,
  hostFor,
  portOf,
  read,
  serveRaw,
  startIngress,
  statusOf,
  talk,
} from '../support/ingress.ts'
import { eventually } from '../support/processes.ts'
import { freePort, serve } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const SECRET = 'of-the-service'
const scope = { after }
let raw: (socket: Socket) => void = () => {}
const service = await serveRaw(scope, socket => raw(socket))
const { port, gateway, site, logged } = await startIngress(scope, {
  services: { 'raw/prod:80': service.port, 'closed/prod:80': await freePort(), 'hidden/prod:80': service.port },
  gatewayArgs: ['--ingress-timeout', '1s'],
  agentArgs: ['--deny', 'hidden/prod:*'],
})
/** Asks as a person and as a program, and holds the answer to its form. */
async function refused(target: string, status: number, code: string, text: string, path = '/'): Promise<void> {
  for (const accept of ['text/html, */*', 'application/problem+json']) {
    const answer = await ask(port, { target, path, headers: { accept } })
    assert.equal(answer.status, status, answer.body.toString())
    const requestId = String(answer.headers['x-request-id'])
    const line = await logged(({ id }) => id === requestId)
    assert.deepEqual([line.status, line.code], [status, code])
    assert.equal(answer.headers['retry-after'], status === 503 ? '2' : undefined)
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.equal(answer.headers.connection, 'close')
    assertBody(answer, accept, { status, code, message: text, requestId })
    assert.ok(!(answer.rawHeaders.join() + answer.body.toString()).includes(SECRET))
  }
}

interface Told {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly requestId: string
}

function assertBody({ headers, body }: Answer, accept: string, told: Told): void {
  if (accept.includes('json')) {
    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(body.toString()), { error: told })
  } else {
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
    assert.match(
      body.toString(),
      new RegExp(`^${told.status} [A-Z].*\n\n${told.message}\n\nrequest ${told.requestId}\n$`),
    )
  }
}

test('F114: a service that refuses connections, and one whose name nobody knows', async () => {
  await refused('closed/prod:80', 502, 'REFUSED', 'The service refuses connections.')
  await refused('nobody/prod:80', 502, 'DNS', 'The name of the service does not resolve.')
})

test('F114: a service that the agent may not reach', async () => {
  const before = service.received.length
  await refused('hidden/prod:80', 403, 'DENIED', 'The service may not be reached this way.')
  assert.equal(service.received.length, before)
})

test('hosts that name no service, and agents that are not here', async () => {
  const at = async (host: string) =>
    statusOf(await talk(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
  for (const label of [
    'web',
    'web--prod',
    'web--prod--0',
    'web--prod--65536',
    'web--prod--80--home--x',
    '-web--prod--80',
  ]) {
    assert.equal(await at(`${label}.in.test`), 404, label)
  }
  assert.equal(await at(`${hostFor('raw/prod:80', 'office')}`), 503)
})

const broken: Record<string, [code: string, text: string, answer: string]> = {
  'that ends before a status': ['PEER_RESET', 'The service has cut the connection.', ''],
  'that is no HTTP': ['BAD_ANSWER', 'The service does not speak HTTP.', `220 ${SECRET} ESMTP\r\n\r\n`],
  'of half a status line': ['PEER_RESET', 'The service has cut the connection.', `HTTP/1.1 20`],
  'with two lengths': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  ],
  'with a length and chunks': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  'with more than 16 KiB of fields': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    `HTTP/1.1 200 OK\r\n${`X-A: ${SECRET.repeat(10)}\r\n`.repeat(150)}\r\n`,
  ],
  'with CR in a value': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    `HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: ${SECRET}\r\n\r\n`,
  ],
  'with LF in a value': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    `HTTP/1.1 200 OK\r\nX-A: a\nSet-Cookie: ${SECRET}\nContent-Length: 0\r\n\r\n`,
  ],
  'with NUL in a value': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    `HTTP/1.1 200 OK\r\nX-A: a\0${SECRET}\r\n\r\n`,
  ],
  'with a control character in its reason': [
    'BAD_ANSWER',
    'The service does not speak HTTP.',
    `HTTP/1.1 200 ${SECRET}\x01\r\nContent-Length: 0\r\n\r\n`,
  ],
  'with a status below 100': [
    'BAD_ANSWER',
    'The service has answered what was not asked.',
    'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n',
  ],
  'that switches protocols unasked': [
    'BAD_ANSWER',
    'The service has answered what was not asked.',
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${SECRET}`,
  ],
  'that switches to nothing unasked': [
    'BAD_ANSWER',
    'The service has answered what was not asked.',
    `HTTP/1.1 101 Switching Protocols\r\n\r\n${SECRET}`,
  ],
}
for (const [what, [code, text, answer]] of Object.entries(broken)) {
  test(`F113, F114, F115: an answer ${what} is 502`, async () => {
    raw = socket => socket.end(Buffer.from(answer, 'latin1'))
    await refused('raw/prod:80', 502, code, text)
  })
}

test('a service that takes a connection and resets it at once is 502, however close the two are', async () => {
  const cutting = await serve(scope, socket => socket.resetAndDestroy())
  const own = await startIngress(scope, {
    services: { 'cut/prod:80': cutting },
    gatewayArgs: ['--ingress-timeout', '30s'],
  })
  const answers = Array.from({ length: 200 }, () => ask(own.port, { target: 'cut/prod:80', method: 'POST' }))
  const codes = new Set((await Promise.all(answers)).map(({ status }) => status))
  assert.deepEqual([...codes], [502])
})

test('F114: a service that resets the connection is 502, one that says nothing is 504', async () => {
  raw = socket => socket.resetAndDestroy()
  await refused('raw/prod:80', 502, 'PEER_RESET', 'The service has cut the connection.')
  raw = () => {}
  await refused('raw/prod:80', 504, 'RESPONSE_TIMEOUT', 'The service did not answer in time.')
})

test('an answer is never split: what is behind it belongs to nobody', async () => {
  raw = socket => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-A: ${SECRET}\r\n\r\n`)
  const question = `GET / HTTP/1.1\r\nHost: ${hostFor('raw/prod:80')}\r\nConnection: close\r\n\r\n`
  for (let i = 0; i < 3; i++) {
    const text = await talk(port, question)
    assert.ok(!text.includes(SECRET), text)
    assert.equal(statusOf(text), 200, text)
    assert.ok(text.endsWith('\r\n\r\nok'), text)
    assert.equal(text.split('HTTP/1.1 ').length, 2, text)
  }
})

test('requests that come back to the gateway are told to be a loop', async () => {
  const own = await site.token({ role: 'agent', agents: ['mirror'], subject: 'mirror' })
  const mirror = await site.agent(gateway, serviceArgs({ 'loop/prod:80': port }), own)
  const answer = await ask(port, { target: 'x/x:1', headers: { host: hostFor('loop/prod:80', 'mirror') } })
  assert.equal(answer.status, 508)
  // As well as every other answer, this one has come by the service, which is the gateway.
  assert.match(answer.body.toString(), /^508 Loop Detected\n\nThis request has been here before\.\n/)
  await mirror.process.kill()
})

test('of two agents the host must name one, unless one alone publishes the service', async () => {
  const own = await site.token({ role: 'agent', agents: ['office'], subject: 'office' })
  const office = await site.agent(gateway, serviceArgs({ 'wiki/intranet:80': service.port }), own)
  raw = socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await refused('nobody/prod:80', 404, 'WHICH_AGENT', 'Several clusters are connected: the host must name one.')
  assert.equal((await ask(port, { target: 'wiki/intranet:80' })).body.toString(), 'ok')
  assert.equal((await ask(port, { target: 'raw/prod:80' })).body.toString(), 'ok')
  await office.process.kill()
})

test('fields that are too long in all are 431, and too many of them too', async () => {
  const to = `GET / HTTP/1.1\r\nHost: ${hostFor('raw/prod:80')}\r\n`
  const before = service.received.length
  assert.equal(statusOf(await talk(port, `${to}X-A: ${'a'.repeat(17 * 1024)}\r\n\r\n`)), 431)
  assert.equal(statusOf(await talk(port, `${to}${'A: b\r\n'.repeat(257)}\r\n`)), 431)
  assert.equal(statusOf(await talk(port, `GET /${'a'.repeat(17 * 1024)} HTTP/1.1\r\n\r\n`)), 431)
  assert.equal(service.received.length, before)
})

test('F114: an agent that is not here is 503, one that dies in the middle and comes back as another 502', async t => {
  const lone = await Site.create(t)
  const own = await lone.gateway(['--ingress-domain', 'in.test', '--ingress-public', '*/*:*'])
  const absent = await ask(portOf(own), { target: 'raw/prod:80' })
  assert.deepEqual([absent.status, absent.headers['retry-after']], [503, '2'])
  const agent = await lone.agent(own, serviceArgs({ 'raw/prod:80': service.port }))
  const asked = new Promise<void>(resolve => {
    raw = () => resolve()
  })
  const { request, answered } = asking(portOf(own), { target: 'raw/prod:80' })
  request.end()
  await asked
  await agent.process.kill()
  // Until it is known that this one will not come back, the request waits.
  await lone.agent(own, serviceArgs({ 'raw/prod:80': service.port }))
  const cut = await read(await answered)
  assert.deepEqual([cut.status, cut.headers['retry-after']], [502, undefined])
  assert.match(cut.body.toString(), /\n\nThe connection to the service has ended\.\n/)
})

test('none of it has hurt the gateway', async () => {
  await eventually(
    () => (gateway.process.handles ?? 0) < 40,
    () => `${gateway.process.handles} handles`,
  )
  assert.doesNotMatch(gateway.process.stderr, /Error:|at .*\.js:/)
})
