import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { EARLY_DATA_BYTES, INITIAL_WINDOW_BYTES } from '../../src/mux/window.ts'
import { Pair } from '../support/pair.ts'

const KIB = 1024

/** Everything a stream says, as it comes. */
function record(stream: Stream): { bytes: number; text: string; events: string[] } {
  const seen = { bytes: 0, text: '', events: [] as string[] }
  stream.on('data', (chunk: Buffer) => {
    seen.bytes += chunk.length
    if (seen.bytes < 1_000) seen.text += chunk.toString()
  })
  stream.on('end', () => seen.events.push('end'))
  stream.on('error', error => seen.events.push(`error ${(error as TunnelError).code}`))
  stream.on('close', () => seen.events.push('close'))
  return seen
}

test('bytes go both ways, and each side ends on its own', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  const [seenNear, seenFar] = [record(near), record(far)]
  near.write('question')
  far.write('answer')
  await pair.clock.advance(0)
  assert.equal(seenFar.text, 'question')
  assert.equal(seenNear.text, 'answer')
  near.end('!')
  await pair.clock.advance(0)
  assert.deepEqual([seenFar.text, seenFar.events], ['question!', ['end']])
  far.write(', and more after the other has ended')
  await pair.clock.advance(0)
  assert.equal(seenNear.text, 'answer, and more after the other has ended')
  assert.deepEqual(seenNear.events, [])
  far.end()
  await pair.clock.advance(0)
  assert.deepEqual(
    [seenNear.events, seenFar.events],
    [
      ['end', 'close'],
      ['end', 'close'],
    ],
  )
  assert.deepEqual([pair.initiator.streams.size, pair.acceptor.streams.size], [0, 0])
})

test('the acceptor may end first, and be heard by it no more', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  const [seenNear, seenFar] = [record(near), record(far)]
  far.end('greeting')
  await pair.clock.advance(0)
  assert.deepEqual([seenNear.text, seenNear.events], ['greeting', ['end']])
  near.end('late question')
  await pair.clock.advance(0)
  assert.deepEqual([seenFar.text, seenFar.events], ['late question', ['end', 'close']])
})

test('a stream without a byte opens and closes', async () => {
  const pair = new Pair()
  const near = pair.initiator.open({})
  const seen = record(near)
  near.end()
  await pair.clock.advance(0)
  const far = pair.opened[0]
  assert.ok(far)
  const seenFar = record(far)
  far.end()
  await pair.clock.advance(0)
  assert.deepEqual(
    [seen.events, seenFar.events],
    [
      ['end', 'close'],
      ['end', 'close'],
    ],
  )
})

test('a server that speaks first is heard before the client has said anything', async () => {
  const pair = new Pair({
    onOpen: stream => {
      stream.accept(25)
      stream.write('220 ready')
    },
  })
  const near = pair.initiator.open({})
  const opened = once(near, 'opened')
  const seen = record(near)
  await pair.clock.advance(0)
  assert.deepEqual(await opened, [25])
  assert.equal(seen.text, '220 ready')
})

test('the last bytes before the end arrive, also when they had to wait for credit', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  near.end(Buffer.alloc(3 * 1024 * KIB, 'x'))
  await pair.clock.advance(0)
  assert.equal(far.readableLength, INITIAL_WINDOW_BYTES)
  const seen = record(far)
  await pair.clock.advance(100)
  assert.deepEqual([seen.bytes, seen.events], [3 * 1024 * KIB, ['end']])
})

test('a client may send 64 KiB before it is answered, and not one byte more', async () => {
  let waiting: Stream | undefined
  const pair = new Pair({
    onOpen: stream => {
      waiting = stream
    },
  })
  const near = pair.initiator.open({})
  near.write(Buffer.alloc(100 * KIB))
  await pair.clock.advance(1_000)
  assert.equal(near.bytesSent, EARLY_DATA_BYTES)
  assert.equal(waiting?.readableLength, EARLY_DATA_BYTES, 'readable before it is accepted')
  waiting?.accept(1)
  await pair.clock.advance(0)
  assert.equal(near.bytesSent, 100 * KIB)
})

test('early data that is read before the acceptance grants nothing yet', async () => {
  let waiting: Stream | undefined
  const pair = new Pair({
    onOpen: stream => {
      waiting = stream
      stream.resume()
    },
  })
  const near = pair.initiator.open({})
  near.write(Buffer.alloc(400 * KIB))
  await pair.clock.advance(1_000)
  assert.equal(near.bytesSent, EARLY_DATA_BYTES)
  waiting?.accept(1)
  await pair.clock.advance(0)
  assert.equal(near.bytesSent, 400 * KIB)
})

for (const by of ['near', 'far'] as const) {
  test(`a reset by the ${by} end is seen by the other with its code, and drops what was not read`, async () => {
    const pair = new Pair()
    const streams = await pair.open()
    const other = by === 'near' ? streams.far : streams.near
    const mine = streams[by]
    const seen = record(other)
    const own = record(mine)
    other.write(Buffer.alloc(1_000))
    mine.reset(new TunnelError('REFUSED', 'nobody listens there'))
    await pair.clock.advance(0)
    assert.deepEqual(seen.events, ['error REFUSED', 'close'])
    assert.deepEqual(own.events, ['error REFUSED', 'close'])
    assert.equal(other.destroyed, true)
    assert.deepEqual([pair.initiator.streams.size, pair.acceptor.streams.size], [0, 0])
    assert.deepEqual([pair.initiator.state, pair.acceptor.state], ['live', 'live'])
  })
}

test('a stream that is destroyed without a reason tells the other end GONE', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  const seen = record(far)
  near.destroy()
  await pair.clock.advance(0)
  assert.deepEqual(seen.events, ['error GONE', 'close'])
})

test('an error of any kind crosses as INTERNAL, and its text is cut to 256 bytes', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  let error: TunnelError | undefined
  far.on('error', thrown => {
    error = thrown as TunnelError
  })
  near.destroy(new Error('é'.repeat(500)))
  await pair.clock.advance(0)
  assert.equal(error?.code, 'INTERNAL')
  assert.equal(error?.message, 'é'.repeat(128))
})

test('resets that cross are both forgotten, and data that crosses a reset is dropped', async () => {
  const pair = new Pair({ latencyMs: 10 })
  const { near, far } = await pair.open()
  near.write(Buffer.alloc(10_000))
  near.reset(new TunnelError('IDLE', ''))
  far.write(Buffer.alloc(10_000))
  far.reset(new TunnelError('REFUSED', ''))
  await pair.clock.advance(100)
  assert.deepEqual([pair.initiator.state, pair.acceptor.state], ['live', 'live'])
  assert.deepEqual([pair.initiator.streams.size, pair.acceptor.streams.size], [0, 0])
})

test('nobody needs to listen for errors', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  near.reset(new TunnelError('IDLE', ''))
  await pair.clock.advance(0)
  assert.equal(far.destroyed, true)
})
