import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBack, giveBackAll, isLent, lend, SLAB_BYTES, type Slab, SlabPool } from '../src/slab.ts'

/** A pool, a slab of it, and what was recycled. */
function pooled(): { pool: SlabPool; slab: Slab; recycled: Slab[] } {
  const pool = new SlabPool()
  const recycled: Slab[] = []
  pool.onRecycled = slab => recycled.push(slab)
  const slab = pool.take()
  assert.ok(slab)
  return { pool, slab, recycled }
}

test('a slab is used again when its reader has left it and every byte is back, in whatever pieces', () => {
  const { pool, slab, recycled } = pooled()
  const chunk = Buffer.from(slab, 0, 1_000)
  lend(chunk)
  pool.leave(slab)
  giveBackAll(chunk.subarray(0, 1), [chunk.subarray(400)])
  assert.deepEqual(recycled, [])
  giveBack(chunk.subarray(1, 400))
  assert.deepEqual(recycled, [slab])
  assert.equal(pool.take(), slab)
})

test('while it is read into, a slab of which nothing is lent stays with its reader', () => {
  const { pool, slab, recycled } = pooled()
  const chunk = Buffer.from(slab, 0, 10)
  lend(chunk)
  giveBack(chunk)
  assert.deepEqual(recycled, [])
  pool.leave(slab)
  assert.deepEqual(recycled, [slab])
})

test('a part that was lent twice must come back twice', () => {
  const { pool, slab, recycled } = pooled()
  const chunk = Buffer.from(slab, 0, 10)
  lend(chunk)
  lend(chunk.subarray(5))
  pool.leave(slab)
  giveBack(chunk)
  assert.deepEqual(recycled, [])
  giveBack(chunk.subarray(5))
  assert.deepEqual(recycled, [slab])
})

test('a slab of which a part is forgotten is never used again', () => {
  const { pool, slab } = pooled()
  lend(Buffer.from(slab, 0, 1))
  pool.leave(slab)
  for (let taken = 0; taken < 10; taken++) {
    const other = pool.take()
    assert.ok(other)
    assert.notEqual(other, slab)
    pool.leave(other)
  }
})

test('there are no more readers than the pool allows, and one that leaves makes room', () => {
  const pool = new SlabPool()
  const taken: Slab[] = []
  for (let slab = pool.take(); slab !== undefined; slab = pool.take()) taken.push(slab)
  assert.equal(taken.length, 64)
  assert.ok(taken.every(slab => slab.byteLength === SLAB_BYTES))
  pool.leave(taken[0] as Slab)
  assert.equal(pool.take(), taken[0])
})

test('any other buffer may be lent and given back: nothing happens', () => {
  for (const other of [Buffer.alloc(0), Buffer.from('abc'), Buffer.alloc(100_000)]) {
    lend(other)
    giveBack(other)
    giveBack(other)
    assert.equal(isLent(other), false)
  }
})
