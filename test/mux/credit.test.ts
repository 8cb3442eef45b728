import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '../../src/mux/stream.ts'
import { INITIAL_WINDOW_BYTES } from '../../src/mux/window.ts'
import { Pair } from '../support/pair.ts'

const KIB = 1024

test('a reader that stalls holds one window, and nobody else up', async () => {
  const pair = new Pair()
  const { near: stalled, far: unread } = await pair.open()
  stalled.write(Buffer.alloc(4 * 1024 * KIB))
  const { near, far } = await pair.open()
  let read = 0
  far.on('data', (chunk: Buffer) => {
    read += chunk.length
  })
  for (let turn = 0; turn < 50; turn++) {
    near.write(Buffer.alloc(64 * KIB))
    await pair.clock.advance(1)
  }
  assert.equal(read, 50 * 64 * KIB)
  assert.equal(unread.readableLength, INITIAL_WINDOW_BYTES)
  assert.equal(stalled.bytesSent, INITIAL_WINDOW_BYTES)
})

const consumers: Record<string, (stream: Stream, take: (bytes: number) => void) => void> = {
  flowing: (stream, take) => stream.on('data', (chunk: Buffer) => take(chunk.length)),
  'paused and resumed': (stream, take) => {
    stream.on('data', (chunk: Buffer) => {
      take(chunk.length)
      stream.pause()
      setImmediate(() => stream.resume())
    })
  },
  'read(n)': (stream, take) => {
    stream.on('readable', () => {
      for (
        let chunk = stream.read(1_000) ?? stream.read();
        chunk !== null;
        chunk = stream.read(1_000) ?? stream.read()
      ) {
        take(chunk.length)
      }
    })
  },
  'an async iterator': (stream, take) => {
    void (async () => {
      for await (const chunk of stream) take((chunk as Buffer).length)
    })()
  },
}

for (const [name, consume] of Object.entries(consumers)) {
  test(`credit returns to a sender whose peer reads by ${name}, also after a whole window waited unread`, async () => {
    const pair = new Pair()
    const { near, far } = await pair.open()
    const total = 2 * 1024 * KIB
    near.end(Buffer.alloc(total))
    await pair.clock.advance(10)
    assert.equal(far.readableLength, INITIAL_WINDOW_BYTES)
    let taken = 0
    consume(far, bytes => {
      taken += bytes
    })
    for (let turn = 0; turn < 2_000 && taken < total; turn++) await pair.clock.advance(1)
    assert.equal(taken, total)
  })
}

test('what pipe() does not take is not credited', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  const { near: sink } = await pair.open()
  far.pipe(sink)
  near.write(Buffer.alloc(4 * 1024 * KIB))
  await pair.clock.advance(1_000)
  // One window at the far reader of the second stream, one in between, and what the streams' own buffers hold.
  assert.ok(near.bytesSent <= 2 * INITIAL_WINDOW_BYTES + 256 * KIB, String(near.bytesSent))
})

test('the window grows with the round-trip time, and a fast path keeps the small one', async () => {
  for (const { latencyMs, grows } of [
    { latencyMs: 50, grows: true },
    { latencyMs: 0, grows: false },
  ]) {
    const pair = new Pair({ latencyMs, acceptor: { pingIntervalMs: 100 } })
    const { near, far } = await pair.open()
    far.resume()
    near.write(Buffer.alloc(16 * 1024 * KIB))
    await pair.clock.advance(10_000)
    assert.equal(near.bytesSent, 16 * 1024 * KIB)
    assert.equal(far.windowBytes > INITIAL_WINDOW_BYTES, grows, `${far.windowBytes}`)
  }
})

test('the growth of all windows of a session keeps to its budget', async () => {
  const limits = { maxInflightBytes: 8 * 1024 * KIB, maxStreams: 10, windowBudgetBytes: 512 * KIB }
  const pair = new Pair({ latencyMs: 50, acceptor: { pingIntervalMs: 100, limits } })
  const fars: Stream[] = []
  for (let index = 0; index < 4; index++) {
    const { near, far } = await pair.open()
    near.write(Buffer.alloc(4 * 1024 * KIB))
    fars.push(far)
    far.resume()
  }
  await pair.clock.advance(5_000)
  const growth = fars.reduce((sum, { windowBytes }) => sum + windowBytes - INITIAL_WINDOW_BYTES, 0)
  assert.ok(growth > 0 && growth <= 512 * KIB, String(growth))
})
