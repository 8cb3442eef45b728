import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TunnelError } from '../../src/errors.ts'
import { type KeptBatch, ReplayBuffer } from '../../src/mux/replay.ts'
import { Lender } from '../support/lender.ts'

/** Half of its bytes lie in a buffer of their own, as those of large payloads do. */
const batch = (seq: number, bytes = 4): KeptBatch => {
  const whole = Buffer.alloc(bytes, seq)
  return { first: whole.subarray(0, bytes / 2), rest: [whole.subarray(bytes / 2)], bytes, leavesAt: 0 }
}

test('a batch is kept until it is acknowledged, and its bytes are counted', () => {
  const replay = new ReplayBuffer()
  for (let seq = 0; seq < 3; seq++) {
    assert.equal(replay.nextSeq, seq)
    replay.push(batch(seq, 10))
  }
  assert.deepEqual([replay.bytes, replay.batches], [30, 3])
  assert.equal(replay.acknowledge(2, 0), true)
  assert.deepEqual([replay.bytes, replay.batches, replay.acknowledged, replay.nextSeq], [10, 1, 2, 3])
  assert.equal(replay.at(1), undefined)
  assert.deepEqual(replay.at(2), batch(2, 10))
  assert.equal(replay.at(3), undefined)
})

test('C56, C57: a late acknowledgement changes nothing, one of the future is a violation', () => {
  const replay = new ReplayBuffer()
  replay.push(batch(0))
  replay.push(batch(1))
  assert.equal(replay.acknowledge(1, 0), true)
  assert.equal(replay.acknowledge(1, 0), false)
  assert.equal(replay.acknowledge(0, 0), false)
  assert.throws(
    () => replay.acknowledge(3, 0),
    (error: TunnelError) => error.code === 'PROTOCOL',
  )
  assert.deepEqual([replay.acknowledged, replay.bytes], [1, 4])
})

test('clear forgets the batches and keeps the numbering', () => {
  const replay = new ReplayBuffer()
  for (let seq = 0; seq < 5; seq++) replay.push(batch(seq))
  replay.acknowledge(2, 0)
  replay.clear()
  assert.deepEqual([replay.bytes, replay.nextSeq, replay.acknowledged], [0, 5, 5])
  replay.push(batch(5))
  assert.deepEqual(replay.at(5), batch(5))
})

test('it answers as a plain list would, over thousands of batches', () => {
  const action = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ acknowledge: fc.nat({ max: 2_000 }) }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 20 }), actions => {
      const replay = new ReplayBuffer()
      const all: KeptBatch[] = []
      let acknowledged = 0
      for (const each of actions) {
        if ('push' in each) {
          for (let index = 0; index < each.push; index++) {
            all.push(batch(all.length, 1 + (all.length % 7)))
            replay.push(all.at(-1) as KeptBatch)
          }
        } else {
          const ack = Math.min(all.length, acknowledged + each.acknowledge)
          assert.equal(replay.acknowledge(ack, 0), ack > acknowledged)
          acknowledged = ack
        }
        const kept = all.slice(acknowledged)
        assert.equal(replay.nextSeq, all.length)
        assert.equal(replay.batches, kept.length)
        assert.equal(
          replay.bytes,
          kept.reduce((sum, { bytes }) => sum + bytes, 0),
        )
        for (const seq of [acknowledged - 1, acknowledged, acknowledged + 700, all.length - 1, all.length]) {
          assert.equal(replay.at(seq), seq < acknowledged ? undefined : all[seq])
        }
      }
    }),
    { numRuns: 50 },
  )
})

/** A batch that carries `bytes` of a slab of its own. */
function lentBatch(lender: Lender, bytes: number, leavesAt: number): KeptBatch {
  const rest = [lender.copy(Buffer.alloc(bytes, 1))]
  lender.leave()
  return { first: Buffer.alloc(10), rest, bytes: bytes + 10, leavesAt }
}

test('what is acknowledged and has left is given back', () => {
  const lender = new Lender()
  const replay = new ReplayBuffer()
  for (const leavesAt of [5_010, 10_020]) replay.push(lentBatch(lender, 5_000, leavesAt))
  replay.acknowledge(1, 10_020)
  assert.equal(lender.recycled, 1)
  replay.acknowledge(2, 10_020)
  assert.equal(lender.recycled, 2)
})

test('a peer that acknowledges what has not left makes nobody write into it', () => {
  const lender = new Lender()
  const replay = new ReplayBuffer()
  for (const leavesAt of [5_010, 10_020]) replay.push(lentBatch(lender, 5_000, leavesAt))
  replay.acknowledge(2, 10_019)
  assert.equal(lender.recycled, 1)
  assert.deepEqual([replay.bytes, replay.batches], [0, 0])
})

test('what was sent over a route that is gone may still be queued there: it is not given back', () => {
  const lender = new Lender()
  const replay = new ReplayBuffer()
  replay.push(lentBatch(lender, 5_000, 5_010))
  replay.forgetRoute()
  replay.acknowledge(1, 1_000_000)
  assert.equal(lender.recycled, 0)
})
