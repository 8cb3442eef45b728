import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as tcpConnect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { systemClock } from '../../src/clock.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { nullLog } from '../../src/observe/log.ts'
import { decodeJson, encodeAck, encodeJson, Kind, kindOf, SUBPROTOCOL } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { authenticator, claims, forge, iat, now } from './forge.ts'

const connectToken = forge(claims)
const agentToken = forge({ ...claims, role: 'agent', sub: 'home-agent', agents: ['home'], allow: [] })
const local = { host: '127.0.0.1', port: 0 }

interface Running {
  readonly url: string
  readonly port: number
  readonly admin: string
  readonly stop: () => Promise<void>
  readonly clock: VirtualClock
  wallNow: number
}

/** A gateway on free ports of loopback whose clock the test moves. */
async function gateway(t: TestContext): Promise<Running> {
  const stopper = new AbortController()
  const clock = new VirtualClock()
  const running = { wallNow: now, clock }
  const subject = new Gateway({
    listen: local,
    adminListen: local,
    authenticator,
    software: 'gateway/test',
    clock: { now: () => clock.now(), after: (ms, task) => clock.after(ms, task), defer: systemClock.defer },
    wallNow: () => running.wallNow,
    drainTimeoutMs: 0,
    log: nullLog,
  })
  let ended: Promise<void> = Promise.resolve()
  const { url, admin = '' } = await new Promise<{ url: string; admin: string | undefined }>(resolve => {
    ended = subject.run(stopper.signal, resolve)
  })
  const stop = async () => {
    stopper.abort()
    await ended
  }
  t.after(stop)
  return Object.assign(running, { url, admin, port: Number(new URL(url).port), stop })
}

/** Everything that a server answers to these bytes, until it closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = tcpConnect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  let answer = ''
  socket.on('data', chunk => {
    answer += String(chunk)
  })
  socket.write(text)
  await once(socket, 'close')
  return answer
}

function upgrade(path: string, headers: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: gateway',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...headers,
    '\r\n',
  ].join('\r\n')
}

const protocol = `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`
const bearer = (token: string): string => `Authorization: Bearer ${token}`

interface End {
  readonly socket: WebSocket
  readonly received: Buffer[]
  readonly closed: Promise<{ code: number; reason: string }>
}

async function dial(url: string, role: 'connect' | 'agent', token: string): Promise<End> {
  const socket = new WebSocket(`${url}/v1/${role}`, SUBPROTOCOL, { headers: { authorization: `Bearer ${token}` } })
  const received: Buffer[] = []
  socket.on('message', data => received.push(data as Buffer))
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  await once(socket, 'open')
  return { socket, received, closed }
}

/** Dials, says HELLO and waits for WELCOME. */
async function greet(url: string, role: 'connect' | 'agent', token: string): Promise<End> {
  const end = await dial(url, role, token)
  const welcomed = once(end.socket, 'message')
  end.socket.send(encodeJson(Kind.HELLO, { role, software: 'test' }))
  await welcomed
  return end
}

test('B20-B22, B29-B31: the door says with a status why it stays closed, and closes the connection', async t => {
  const { port } = await gateway(t)
  const good = bearer(connectToken)
  const cases: [status: number, request: string][] = [
    [401, upgrade('/v1/connect', [protocol])],
    [401, upgrade('/v1/connect', [protocol, bearer('nonsense')])],
    [401, upgrade('/v1/connect', [protocol, bearer(forge({ ...claims, exp: iat - 3600, iat: iat - 7200 }))])],
    [403, upgrade('/v1/agent', [protocol, good])],
    [403, upgrade('/v1/connect', [protocol, bearer(agentToken)])],
    [403, upgrade('/v1/connect', [protocol, good, 'Origin: https://evil.example'])],
    [404, upgrade('/v1/nothing', [protocol, good])],
    [404, upgrade('/', [protocol, good])],
    [426, upgrade('/v1/connect', [good])],
    [426, upgrade('/v1/connect', [good, 'Sec-WebSocket-Protocol: tunnelctl.v0'])],
    [400, upgrade('/v1/connect', [protocol, good, good])],
    [400, upgrade(`/v1/connect?token=${connectToken}`, [protocol])],
    [404, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ]
  for (const [status, request] of cases) {
    const answer = await exchange(port, request)
    assert.equal(Number(answer.slice(9, 12)), status, `${request.slice(0, 60)} gave ${answer}`)
    assert.match(answer, /connection: close/i)
    assert.ok(!answer.includes(connectToken))
  }
  assert.match(await exchange(port, upgrade('/v1/connect', [good])), new RegExp(protocol))
})

test('B36: a request that is pipelined behind a refused upgrade is not answered', async t => {
  const { port } = await gateway(t)
  const answer = await exchange(port, `${upgrade('/v1/connect', [protocol])}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`)
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
})

test('B34: two thousand headers are refused, and the gateway lives', async t => {
  const { port, url } = await gateway(t)
  const many = Array.from({ length: 2_001 }, (_, index) => `X-${index}: y`)
  const answer = await exchange(port, upgrade('/v1/connect', [...many, protocol, bearer(connectToken)]))
  assert.doesNotMatch(answer, /^HTTP\/1\.1 101/)
  ;(await greet(url, 'connect', connectToken)).socket.terminate()
})

test('WELCOME tells a client which of its agents are here', async t => {
  const { url } = await gateway(t)
  const agent = await greet(url, 'agent', agentToken)
  const client = await greet(url, 'connect', connectToken)
  const [welcome] = client.received
  assert.ok(welcome)
  assert.equal(kindOf(welcome), Kind.WELCOME)
  assert.deepEqual(decodeJson(welcome), { software: 'gateway/test', agents: ['home'] })
  assert.deepEqual(decodeJson(agent.received[0] as Buffer), { software: 'gateway/test' })
})

test('B33: a carrier that says nothing is closed with 4408 after ten seconds', async t => {
  const { url, clock } = await gateway(t)
  const { closed, socket } = await dial(url, 'connect', connectToken)
  clock.advanceSync(9_999)
  assert.equal(socket.readyState, WebSocket.OPEN)
  clock.advanceSync(1)
  assert.equal((await closed).code, 4408)
})

const hello = encodeJson(Kind.HELLO, { role: 'connect', software: 'test' })
const polluted = Buffer.from(
  '{"software":"x","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"more":[]}',
)
const first: [what: string, messages: Buffer[], code: number | undefined][] = [
  ['B40: a HELLO of 9 KiB', [encodeJson(Kind.HELLO, { software: 'x'.repeat(9 * 1024) })], 4400],
  ['B41: two HELLOs', [hello, hello], 4400],
  ['B42: an ACK before HELLO', [encodeAck(1, 0)], 4400],
  ['a HELLO that is no object', [Buffer.concat([hello.subarray(0, 6), Buffer.from('[]')])], 4400],
  ['an empty message', [Buffer.alloc(0)], 4400],
  ['B39, B43: a HELLO with fields nobody knows', [Buffer.concat([hello.subarray(0, 6), polluted])], undefined],
]
for (const [what, messages, code] of first) {
  test(`${what} ${code === undefined ? 'is welcome' : `closes with ${code}`}`, async t => {
    const { url } = await gateway(t)
    const end = await dial(url, 'connect', connectToken)
    for (const message of messages) end.socket.send(message)
    if (code === undefined) {
      await once(end.socket, 'message')
      assert.equal(({} as Record<string, unknown>).polluted, undefined)
      end.socket.terminate()
    } else assert.equal((await end.closed).code, code)
  })
}

test('a carrier whose token has expired is closed with 4401, after a minute of grace', async t => {
  const running = await gateway(t)
  const { closed, socket } = await greet(running.url, 'connect', connectToken)
  running.wallNow = claims.exp * 1000 + 59_999
  running.clock.advanceSync(10_000)
  assert.equal(socket.readyState, WebSocket.OPEN)
  running.wallNow += 1
  running.clock.advanceSync(10_000)
  assert.equal((await closed).code, 4401)
})

test('before that it is asked once to come with another token, unless it came so late', async t => {
  const running = await gateway(t)
  const { socket } = await greet(running.url, 'connect', connectToken)
  running.wallNow = claims.exp * 1000 - 45_000
  running.clock.advanceSync(10_000)
  running.wallNow += 1
  const late = await greet(running.url, 'connect', connectToken)
  let told = 0
  late.socket.on('message', () => told++)
  const asked = once(socket, 'message') as Promise<[Buffer]>
  running.clock.advanceSync(10_000)
  const [message] = await asked
  assert.deepEqual([kindOf(message), decodeJson(message)], [Kind.DRAIN, { afterMs: 0, why: 'expiry' }])
  socket.on('message', () => told++)
  running.clock.advanceSync(10_000)
  for (const each of [socket, late.socket]) {
    each.ping()
    await once(each, 'pong')
  }
  assert.equal(told, 0)
})

test('an agent whose name is held by another subject is closed with 4403', async t => {
  const { url } = await gateway(t)
  const agent = await greet(url, 'agent', agentToken)
  const thief = await dial(url, 'agent', forge({ ...claims, role: 'agent', sub: 'thief', agents: ['home'], allow: [] }))
  thief.socket.send(hello)
  assert.equal((await thief.closed).code, 4403)
  assert.equal(agent.socket.readyState, WebSocket.OPEN)
})

test('shutdown closes every carrier with 1012 and then ends', async t => {
  const { url, stop } = await gateway(t)
  const ends = [await greet(url, 'agent', agentToken), await greet(url, 'connect', connectToken)]
  await stop()
  for (const { closed } of ends) assert.equal((await closed).code, 1012)
})

test('shutdown waits for nobody: not for half a request, a silent connection, or a carrier without HELLO', async t => {
  const { url, port, stop } = await gateway(t)
  for (const text of ['', 'GET /v1/connect HTTP/1.1\r\nHost: x\r\n']) {
    const socket = tcpConnect({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    await once(socket, 'connect')
    if (text !== '') socket.write(text)
  }
  const { closed } = await dial(url, 'connect', connectToken)
  await stop()
  assert.equal((await closed).code, 1012)
})

test('the admin port answers for probes and metrics', async t => {
  const { url, admin } = await gateway(t)
  await greet(url, 'agent', agentToken)
  const get = async (path: string) => {
    const response = await fetch(`http://${admin}${path}`)
    return { status: response.status, text: await response.text() }
  }
  assert.equal((await get('/healthz')).status, 200)
  assert.equal((await get('/readyz')).status, 200)
  assert.equal((await get('/nothing')).status, 404)
  const { text } = await get('/metrics')
  assert.match(text, /^tunnelctl_agents 1$/m)
  assert.match(text, /^tunnelctl_sent_bytes_total [1-9]/m)
})
