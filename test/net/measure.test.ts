import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { count, MAX_MEASURE_BYTES, pour } from '../../src/net/measure.ts'

const sink = (took: (bytes: number) => void): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      took(chunk.length)
      setImmediate(done)
    },
  })

test('what is poured has a bound, and ends', async () => {
  let bytes = 0
  const to = sink(more => {
    bytes += more
  })
  pour(to)
  await once(to, 'finish')
  assert.ok(bytes <= MAX_MEASURE_BYTES && bytes > MAX_MEASURE_BYTES / 2, `${bytes}`)
})

test('it ends when whoever asked has enough, and when nobody is there', async () => {
  let writes = 0
  const to = sink(() => writes++)
  pour(to, () => writes < 3)
  await once(to, 'finish')
  assert.equal(writes, 3)
  const gone = sink(() => {})
  gone.destroy()
  pour(gone)
})

test('what comes is counted to its end, and stopped when it is too much', async () => {
  const from = new PassThrough()
  const counted = new Promise<number>(resolve => count(from, resolve))
  from.write('abc')
  from.end('de')
  assert.equal(await counted, 5)
  const flood = new PassThrough()
  count(flood, () => assert.fail('it was too much'))
  const closed = once(flood, 'close')
  const block = Buffer.alloc(1024 * 1024)
  const more = (): void => {
    while (!flood.destroyed && flood.write(block));
    if (!flood.destroyed) flood.once('drain', more)
  }
  flood.on('error', () => {})
  more()
  await closed
})
