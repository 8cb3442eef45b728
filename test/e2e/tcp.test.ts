/** What TCP promises to both sides, through three real processes. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { after, test } from 'node:test'
import {
  dial,
  echoed,
  freePort,
  outcome,
  pattern,
  readAll,
  readExactly,
  serveByHand,
  serveEcho,
  within,
} from '../support/sockets.ts'
import { startTunnel } from '../support/tunnel.ts'

const MiB = 1024 * 1024

const scope = { after }
const service = await serveByHand(scope)
const tunnel = await startTunnel(scope, {
  services: { 'hand/test:1': service.port, 'echo/test:7': await serveEcho(scope), 'dead/test:9': await freePort() },
  // So that the search for secrets at the end sees everything that a log may hold.
  gatewayArgs: ['--log-level', 'debug'],
  agentArgs: ['--log-level', 'debug'],
})

/** Both ends of one connection. */
async function joined() {
  const client = await dial(tunnel.port('hand/test:1'))
  return { client, served: await service.accepted() }
}

test('a client that sends, ends its side and then reads gets the whole answer', async () => {
  const { client, served } = await joined()
  client.end('question')
  assert.equal((await readAll(served)).toString(), 'question')
  served.write('answer, ')
  served.end('and its end')
  assert.equal((await readAll(client)).toString(), 'answer, and its end')
  assert.equal(await outcome(client), 'in order')
})

test('a service that ends its side first still hears the client to its end', async () => {
  const { client, served } = await joined()
  served.end('hello')
  assert.equal((await readAll(client)).toString(), 'hello')
  const heard = readAll(served)
  await pipeline(Readable.from(pattern(2 * MiB)), client)
  assert.deepEqual(await heard, Buffer.concat([...pattern(2 * MiB)]))
  assert.equal(await outcome(served), 'in order')
})

test('the last bytes before the end arrive, of every size and in both directions', async () => {
  const sizes = [1, 2, 1023, 16 * 1024, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024, 256 * 1024 + 1, 3 * MiB]
  for (const size of sizes) {
    const bytes = Buffer.concat([...pattern(size, size)])
    const { client, served } = await joined()
    const both = Promise.all([readAll(client), readAll(served)])
    client.end(bytes)
    served.end(bytes)
    const [atClient, atService] = await both
    assert.ok(atClient.equals(bytes), `${size} bytes to the client`)
    assert.ok(atService.equals(bytes), `${size} bytes to the service`)
  }
})

test('a connection without a byte ends in order, whoever ends it first', async () => {
  for (const first of ['client', 'served'] as const) {
    const pair = await joined()
    const [one, other] = first === 'client' ? [pair.client, pair.served] : [pair.served, pair.client]
    one.end()
    assert.equal((await readAll(other)).length, 0)
    other.end()
    assert.equal((await readAll(one)).length, 0)
    assert.deepEqual(await Promise.all([outcome(one), outcome(other)]), ['in order', 'in order'])
  }
})

test('a service that speaks first is heard before the client has said anything', async () => {
  const { client, served } = await joined()
  served.write('220 ready\r\n')
  assert.equal((await readExactly(client, 11)).toString(), '220 ready\r\n')
  client.end()
  await readAll(served)
  served.end()
  assert.equal(await outcome(client), 'in order')
})

test('a reset by the client is a reset at the service', async () => {
  const { client, served } = await joined()
  client.write('x')
  await readExactly(served, 1)
  client.resetAndDestroy()
  assert.equal(await outcome(served), 'ECONNRESET')
})

test('a reset by the service is a reset at the client', async () => {
  const { client, served } = await joined()
  served.write('x')
  await readExactly(client, 1)
  served.resetAndDestroy()
  assert.equal(await outcome(client), 'ECONNRESET')
})

test('a reset goes through while bytes flow, and after one side has ended', async () => {
  for (const half of [false, true]) {
    for (const first of ['client', 'served'] as const) {
      const pair = await joined()
      const [one, other] = first === 'client' ? [pair.client, pair.served] : [pair.served, pair.client]
      if (half) {
        other.end('the end')
        await readAll(one)
      } else other.write(Buffer.alloc(4 * MiB))
      one.write('x')
      await readExactly(other, 1)
      const seen = outcome(other)
      one.resetAndDestroy()
      assert.match(await seen, /^(ECONNRESET|EPIPE)$/, `half ended: ${half}, by the ${first}`)
    }
  }
})

test('the close event tells the bytes of both directions, and how it ended', async () => {
  const since = tunnel.connect.events.length
  const client = await dial(tunnel.port('echo/test:7'))
  await echoed(client, 'twelve bytes')
  client.end()
  await readAll(client)
  const { process } = tunnel.connect
  const { bytesUp, bytesDown, code } = await process.event('close', event => event.target === 'echo/test:7', since)
  assert.deepEqual({ bytesUp, bytesDown, code }, { bytesUp: 12, bytesDown: 12, code: 'OK' })
})

async function stdio(target: string) {
  const tokenFile = await tunnel.site.token({ role: 'connect' })
  const args = ['connect', '--gateway', tunnel.gateway.url, '--token-file', tokenFile, '--stdio', target]
  return tunnel.site.run('stdio', args, { stdin: 'pipe', ownStdout: true })
}

/** What is read up to the end. The source is not destroyed: its other half may live on. */
async function digest(source: Readable): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  source.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    hash.update(chunk)
  })
  await finished(source, { writable: false })
  return { bytes, sha256: hash.digest('hex') }
}

const big = 200 * MiB
const expected = within(digest(Readable.from(pattern(big))), 'digest')

test('200 MiB through stdin arrive byte for byte, and its end ends the process with 0', async () => {
  const running = await stdio('hand/test:1')
  const served = await service.accepted()
  void pipeline(Readable.from(pattern(big)), running.stdin).catch(() => {})
  const answer = digest(running.output)
  assert.deepEqual(await within(digest(served), 'upload'), await expected)
  served.end('thanks')
  assert.equal((await answer).bytes, 'thanks'.length)
  assert.deepEqual(await running.finished(), { code: 0, signal: null })
  assert.equal(running.stderr, '')
})

test('200 MiB to stdout arrive byte for byte, and the end of the service ends the process with 0', async () => {
  const running = await stdio('hand/test:1')
  const received = digest(running.output)
  const served = await service.accepted()
  await within(pipeline(Readable.from(pattern(big)), served), 'download')
  assert.deepEqual(await received, await expected)
  // Its stdin is still open: nobody has to close it for the process to end.
  assert.deepEqual(await running.finished(), { code: 0, signal: null })
  assert.equal(running.stderr, '')
  served.destroy()
})

test('200 MiB go both ways at once through --stdio', async () => {
  const running = await stdio('echo/test:7')
  void pipeline(Readable.from(pattern(big)), running.stdin).catch(() => {})
  assert.deepEqual(await within(digest(running.output), 'echo'), await expected)
  assert.deepEqual(await running.finished(), { code: 0, signal: null })
  assert.equal(running.stderr, '')
})

test('--stdio to a service that is not there says so in one line and exits with 4', async () => {
  const running = await stdio('dead/test:9')
  const output = digest(running.output)
  assert.deepEqual(await running.finished(), { code: 4, signal: null })
  assert.equal((await output).bytes, 0)
  assert.match(running.stderr, /^tunnelctl: REFUSED [^\n]*dead\/test:9[^\n]*\n$/)
})

test('--stdio that the service resets exits with 1 and one line', async () => {
  const running = await stdio('hand/test:1')
  const output = digest(running.output)
  const served = await service.accepted()
  served.resetAndDestroy()
  assert.deepEqual(await running.finished(), { code: 1, signal: null })
  assert.equal((await output).bytes, 0)
  assert.match(running.stderr, /^tunnelctl: PEER_RESET [^\n]*\n$/)
})

test('--stdio whose reader goes away ends, and the service sees a reset', async () => {
  const running = await stdio('hand/test:1')
  const served = await service.accepted()
  const seen = outcome(served)
  void pipeline(Readable.from(pattern(big)), served).catch(() => {})
  await once(running.output, 'data')
  running.output.destroy()
  assert.deepEqual(await running.finished(), { code: 1, signal: null })
  assert.match(await seen, /^(ECONNRESET|EPIPE)$/)
})
