import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DatagramReader, encodeDatagram } from '../../src/net/datagram.ts'

test('datagrams arrive as they were sent, empty ones too, however the stream is cut', () => {
  const payload = fc.uint8Array({ maxLength: 300 })
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 400 })), (payloads, cuts) => {
      const stream = Buffer.concat(payloads.map(encodeDatagram))
      const delivered: Buffer[] = []
      const reader = new DatagramReader(each => delivered.push(each))
      let at = 0
      for (const cut of [...cuts, stream.length]) {
        reader.read(stream.subarray(at, at + cut))
        at = Math.min(stream.length, at + cut)
      }
      assert.deepEqual(
        delivered,
        payloads.map(each => Buffer.from(each)),
      )
    }),
  )
})

test('what is delivered does not lie in the chunk that it came in', () => {
  const chunk = encodeDatagram(Buffer.from('abc'))
  let delivered: Buffer = Buffer.alloc(0)
  new DatagramReader(each => {
    delivered = each
  }).read(chunk)
  chunk.fill(0)
  assert.equal(String(delivered), 'abc')
})
