/** Connections to services over streams that a test holds the other end of. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { Connections } from '../../../src/gateway/ingress/connections.ts'
import type { Stream } from '../../../src/mux/stream.ts'
import { VirtualClock } from '../../support/clock.ts'

/** What the agent keeps of a stream is no more than a Duplex. */
class FakeStream extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done()
    this.push('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  }
}

function start(keep: boolean) {
  const clock = new VirtualClock()
  const streams: FakeStream[] = []
  const open = (): Promise<Stream> => {
    const stream = new FakeStream()
    stream.on('error', () => {})
    streams.push(stream)
    return Promise.resolve(stream as unknown as Stream)
  }
  const connections = new Connections(open, clock, keep)
  const ask = async (service: string, agent = 'home'): Promise<void> => {
    const target = { service, namespace: 'prod', port: 80, protocol: 'tcp' as const }
    const options = { service: { agent, target, signal: new AbortController().signal }, connected() {} }
    const request = httpRequest({ ...options, agent: connections, headers: ['Host', 'x'], setHost: false })
    request.end()
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    await once(answer.resume(), 'end')
    // The stream is free in the turn after that.
    await new Promise(setImmediate)
  }
  return { clock, streams, ask }
}

test('a stream is used again for the same target of the same agent, and for no other', async () => {
  const { streams, ask } = start(true)
  for (const [service, agent] of [['a'], ['a'], ['b'], ['a', 'office'], ['a']]) await ask(service ?? '', agent)
  assert.equal(streams.length, 3)
})

test('a stream is listened to by no more for each time that it is used', async () => {
  const { streams, ask } = start(true)
  const counts: number[] = []
  for (let times = 0; times < 4; times++) {
    await ask('a')
    const [stream] = streams as [FakeStream]
    counts.push(stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0))
  }
  assert.equal(new Set(counts).size, 1, String(counts))
})

test('without keeping, each request has its own, which ends', async () => {
  const { streams, ask } = start(false)
  await ask('a')
  await ask('a')
  assert.equal(streams.length, 2)
  assert.ok(streams.every(({ writableEnded }) => writableEnded))
})

test('an idle stream is dropped after four seconds, and leaves no timer', async () => {
  const { clock, streams, ask } = start(true)
  await ask('a')
  clock.advanceSync(3_999)
  await ask('a')
  clock.advanceSync(3_999)
  assert.deepEqual([streams.length, streams[0]?.destroyed], [1, false])
  clock.advanceSync(1)
  assert.deepEqual([streams[0]?.destroyed, clock.timers], [true, 0])
})

for (const [what, happen] of [
  ['says something unasked', (stream: FakeStream) => stream.push('x')],
  ['ends its half', (stream: FakeStream) => stream.push(null)],
  ['fails', (stream: FakeStream) => stream.destroy(new Error('reset'))],
] as const) {
  test(`a stream whose service ${what} while it is idle is not used again`, async () => {
    const { clock, streams, ask } = start(true)
    await ask('a')
    happen(streams[0] as FakeStream)
    await new Promise(setImmediate)
    assert.deepEqual([streams[0]?.destroyed, clock.timers], [true, 0])
    await ask('a')
    assert.equal(streams.length, 2)
  })
}
