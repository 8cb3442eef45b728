/** Group B: who comes to the door, and how. Most of it is held in test/gateway, in front of the same Gateway. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { dialGateway } from '../../src/carrier/dial.ts'
import type { TunnelError } from '../../src/errors.ts'
import { defaultGatewayLimits } from '../../src/gateway/limits.ts'
import { encodeJson, Kind } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { heard, statusOf, talk } from '../support/ingress.ts'
import { dial, readAll, serveByHand, within } from '../support/sockets.ts'
import { Arena } from './arena.ts'
import { handshake, hello, RawPeer } from './raw.ts'
import { RawSession } from './session.ts'

const scope = { after }
const ARRIVAL_MS = 500
const arena = await Arena.start(scope, { gatewayArgs: ['--limit', `arrival-time=${ARRIVAL_MS}ms`] })
const { port, gateway } = arena
const token = await arena.token('connect')
const path = '/v1/connect'

test('B22: a token in the query is 400 and in no log, whatever else is asked', async () => {
  const secret = await arena.token('connect', { subject: 'leaky' })
  const since = gateway.process.events.length
  for (const at of [path, '/v1/agent', '/v1/services', '/v1/nothing', '/']) {
    const answer = await talk(port, handshake({ path: `${at}?x=1&token=${secret}`, token }))
    assert.ok([400, 403, 404].includes(statusOf(answer)), answer)
    assert.ok(!answer.includes(secret))
  }
  const line = await gateway.process.event('refused', each => JSON.stringify(each).includes('in the URL'), since)
  assert.equal(line.path, path)
  assert.ok(!gateway.process.stderr.includes(secret.slice(0, 40)))
  await arena.unharmed()
})

test('B32: a head that comes byte by byte is cut off when its time is up, however long it goes on', async () => {
  for (const head of ['GET /v1/connect HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nX-', '']) {
    const socket = await dial(port)
    const answer = heard(socket)
    const beganAt = performance.now()
    socket.write(head)
    while (!socket.destroyed && performance.now() - beganAt < 20 * ARRIVAL_MS) {
      socket.write('a')
      await pause(20)
    }
    assert.ok(performance.now() - beganAt < 10 * ARRIVAL_MS)
    // What is no method is not HTTP from its first bytes on, and need not be awaited.
    assert.equal(statusOf(await answer), head === '' ? 400 : 408)
  }
  await arena.unharmed()
})

test('B33: a carrier that was let in and says nothing is closed with 4408, also when it pings', async () => {
  const silent = await RawPeer.dial(port, { path, token })
  const pinging = await RawPeer.dial(port, { path, token })
  await pinging.settled()
  assert.deepEqual([await silent.code(), await pinging.code()], [4408, 4408])
  await arena.unharmed()
})

test('B35: an upgrade that announces a body is 400, and a request in it is not answered', async () => {
  const body = 'GET /v1/login HTTP/1.1\r\nHost: gateway\r\n\r\n'
  for (const field of [`Content-Length: ${body.length}`, 'Content-Length: 0', 'Transfer-Encoding: chunked']) {
    const refused = await talk(port, handshake({ path, token, fields: [field] }) + body)
    assert.equal(statusOf(refused), 400)
    assert.equal(refused.split('HTTP/1.1 ').length, 2, refused)
  }
  await arena.unharmed()
})

test('B37: an end that is sent elsewhere does not go there, and says nothing to anybody there', async () => {
  const elsewhere = await serveByHand(scope)
  const server = await serveByHand(scope)
  for (const location of [`http://127.0.0.1:${elsewhere.port}/`, `ws://127.0.0.1:${elsewhere.port}/v1/connect`]) {
    const url = new URL(`ws://127.0.0.1:${server.port}`)
    const { signal } = new AbortController()
    const dialled = dialGateway({ url, role: 'connect', token, clock: new VirtualClock(), signal })
    const refused = assert.rejects(dialled, { code: 'NOT_A_GATEWAY' })
    const socket = await server.accepted()
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    await within(refused, 'refusal')
    assert.match(String(await readAll(socket)), /^authorization: Bearer /im)
  }
  const mine = await dial(elsewhere.port)
  const first = await elsewhere.accepted()
  assert.equal(first.remotePort, mine.localPort, 'nobody else has come')
})

test('B38: a gateway that drips its answer is left after ten seconds in all', async () => {
  const server = await serveByHand(scope)
  const clock = new VirtualClock()
  const url = new URL(`ws://127.0.0.1:${server.port}`)
  const { signal } = new AbortController()
  const dialled = dialGateway({ url, role: 'connect', token, clock, signal })
  let outcome = 'still waiting'
  const settled = dialled.catch((thrown: Error) => {
    outcome = thrown.message
  })
  const socket = await server.accepted()
  const left = readAll(socket).catch(() => Buffer.alloc(0))
  for (const byte of 'HTTP/1.1 ') {
    socket.write(byte)
    await new Promise(setImmediate)
    clock.advanceSync(1_000)
  }
  clock.advanceSync(999)
  await new Promise(setImmediate)
  assert.equal(outcome, 'still waiting')
  clock.advanceSync(1)
  await within(settled, 'end of the dial')
  assert.match(outcome, /did not answer within 10 s/)
  await left
  assert.equal(clock.timers, 0)
})

test('B39, B43: of HELLO only the fields that are known count, and of the wrong type they are absent', async () => {
  const odd = {
    ...{ role: 7, software: ['x', { y: 1 }], instance: { toString: 1 }, group: 9, draining: 'yes', agents: 'all' },
    ...{ subject: 'root', polluted: true, constructor: { prototype: { polluted: true } } },
  }
  for (const json of [odd, { instance: 'x'.repeat(65), group: '../..\n' }, {}]) {
    const peer = await RawPeer.dial(port, { path, token })
    peer.send(encodeJson(Kind.HELLO, json))
    await peer.next(Kind.WELCOME)
    peer.leave()
  }
  const other = await arena.token('agent', { subject: 'odd', agents: ['odd'] })
  const agent = await RawPeer.dial(port, { path: '/v1/agent', token: other })
  const text = JSON.stringify(odd).replace('{', '{"__proto__":{"draining":true},')
  agent.send(Buffer.concat([hello('agent').subarray(0, 6), Buffer.from(text)]))
  await agent.next(Kind.WELCOME)
  const client = await arena.client({ agents: ['odd'] })
  client.send(new RawSession(client).attach({ agent: 'odd', key: 'k' }))
  await agent.next(Kind.ATTACH)
  assert.equal(({} as Record<string, unknown>).draining, undefined)
  for (const peer of [client, agent]) peer.leave()
  await arena.unharmed()
})

test('whoever has as many carriers as one may have is told so, and what to do', async () => {
  const greedy = await arena.token('connect', { subject: 'greedy' })
  const url = new URL(`ws://127.0.0.1:${port}`)
  const { signal } = new AbortController()
  const come = async () => {
    const carrier = await dialGateway({ url, role: 'connect', token: greedy, clock: new VirtualClock(), signal })
    carrier.start({ message: () => {}, drain: () => {}, closed: () => {} })
    carrier.send(encodeJson(Kind.HELLO, { role: 'connect', software: 'test' }))
    return carrier
  }
  const carriers = await Promise.all(Array.from({ length: defaultGatewayLimits.carriersPerSubject }, come))
  await assert.rejects(come(), ({ code, message, hint }: TunnelError) => {
    assert.equal(code, 'GATEWAY_UNREACHABLE')
    assert.match(
      `${message} (${hint})`,
      /takes no more from you now: 64 carriers of greedy .*\(wait a moment, and look/,
    )
    return true
  })
  for (const carrier of carriers) carrier.terminate()
  await arena.unharmed()
})
