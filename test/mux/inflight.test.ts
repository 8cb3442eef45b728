import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits } from '../../src/mux/limits.ts'
import { Pair } from '../support/pair.ts'

const KIB = 1024
const limits = (maxInflightBytes: number) => ({ limits: { ...defaultLimits, maxInflightBytes } })

test('no more is under way than the smaller of what both ends allow, in either direction', async () => {
  for (const [own, peer] of [
    [512 * KIB, 8192 * KIB],
    [8192 * KIB, 512 * KIB],
  ] as const) {
    const pair = new Pair({ latencyMs: 50, initiator: limits(own), acceptor: limits(peer) })
    const streams = [await pair.open(), await pair.open(), await pair.open(), await pair.open()]
    let most = 0
    for (const { near, far } of streams) {
      for (const stream of [near, far]) {
        stream.resume()
        stream.write(Buffer.alloc(250 * KIB))
      }
    }
    for (let ms = 0; ms < 2_000; ms++) {
      await pair.clock.advance(1)
      most = Math.max(most, pair.initiator.keptBytes, pair.acceptor.keptBytes)
    }
    assert.ok(most > 300 * KIB && most <= 512 * KIB, `${most} bytes were under way`)
    for (const { near, far } of streams) {
      assert.deepEqual([near.bytesReceived, far.bytesReceived], [250 * KIB, 250 * KIB])
    }
  }
})
