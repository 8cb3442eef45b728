import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { WebSocket } from 'ws'
import { systemClock } from '../../src/clock.ts'
import { Authenticator } from '../../src/gateway/auth.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { keysById } from '../../src/gateway/keys.ts'
import { nullLog } from '../../src/observe/log.ts'
import { generateKeyPair } from '../../src/token/keys.ts'
import { createToken } from '../../src/token/token.ts'
import { fromPlain, toPlain } from './plain.ts'

const { privateJwk, publicJwks } = await generateKeyPair()
const gateway = new Gateway({
  listen: { host: '127.0.0.1', port: 0 },
  authenticator: new Authenticator({ keys: () => keysById([publicJwks]), now: Date.now }),
  software: 'tunnelctl/test',
  clock: systemClock,
  wallNow: Date.now,
  drainTimeoutMs: 0,
  log: nullLog,
})
const stop = new AbortController()
const url = await new Promise<string>((resolve, reject) => {
  const served = gateway.run(stop.signal, addresses => resolve(addresses.url))
  served.catch(reject)
  after(async () => {
    stop.abort()
    await served
  })
})

const token = await createToken(privateJwk, {
  role: 'connect',
  subject: 'alice',
  agents: ['home'],
  allow: ['*/*:*'],
  ttlMs: 60_000,
  now: Date.now(),
})

async function upgraded(protocols: string[]): Promise<WebSocket> {
  const socket = new WebSocket(`${url}/v1/connect`, protocols, { headers: { authorization: `Bearer ${token}` } })
  await once(socket, 'open')
  return socket
}

/** What comes back for one first message: the answer, or the close code. */
async function answerTo(message: Buffer): Promise<unknown> {
  const socket = await upgraded(['tunnelctl.v1'])
  socket.send(message)
  const answer = await Promise.race([
    once(socket, 'message').then(([data]) => toPlain(data as Buffer)),
    once(socket, 'close').then(([code]) => code as unknown),
  ])
  socket.terminate()
  return answer
}

test('of the versions that an end offers, the gateway answers with the one that it speaks', async () => {
  for (const offered of [['tunnelctl.v1'], ['tunnelctl.v2', 'tunnelctl.v1'], ['tunnelctl.v1', 'tunnelctl.v2']]) {
    const socket = await upgraded(offered)
    assert.equal(socket.protocol, 'tunnelctl.v1', offered.join(', '))
    socket.terminate()
  }
})

test('an end that does not offer that version is refused with 426 and told it', async () => {
  const socket = new WebSocket(`${url}/v1/connect`, ['tunnelctl.v2'])
  socket.on('error', () => {})
  const [, response] = await once(socket, 'unexpected-response')
  assert.equal(response.statusCode, 426)
  assert.equal(response.headers['sec-websocket-protocol'], 'tunnelctl.v1')
  response.resume()
})

test('HELLO is answered with WELCOME', async () => {
  const hello = fromPlain({ kind: 'HELLO', route: 0, json: { role: 'connect', software: 'test' } })
  assert.deepEqual(await answerTo(hello), {
    kind: 'WELCOME',
    route: 0,
    json: { software: 'tunnelctl/test', agents: [] },
  })
})

test('any other first message is a violation, HELLO on a route of its own included', async () => {
  const hello = fromPlain({ kind: 'HELLO', route: 0, json: {} })
  const onRoute = Buffer.from(hello)
  onRoute.writeUInt32BE(1, 0)
  const ping = fromPlain({ kind: 'PING', route: 0, nonce: 1 })
  for (const message of [onRoute, ping, hello.subarray(0, 5), hello.subarray(0, 7), Buffer.alloc(0)]) {
    assert.equal(await answerTo(message), 4400, message.toString('hex'))
  }
})
