import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bucket } from '../../src/net/bucket.ts'

test('a bucket gives its burst at once, and then its rate', () => {
  const bucket = new Bucket(10, 25, 0)
  for (let taken = 0; taken < 25; taken++) assert.ok(bucket.take(0))
  assert.ok(!bucket.take(0))
  assert.ok(!bucket.take(99))
  assert.ok(bucket.take(100))
  assert.ok(!bucket.take(100))
  assert.ok(!bucket.isFull(2_000))
  assert.ok(bucket.isFull(2_700))
})

test('what it cannot give whole it does not give at all, and it never holds more than its burst', () => {
  const bucket = new Bucket(10, 20, 0)
  assert.ok(!bucket.take(1e9, 21))
  assert.ok(bucket.take(1e9, 20))
  assert.ok(!bucket.take(1e9, 1))
})

test('what is spent beyond it is owed, a minute at most', () => {
  const bucket = new Bucket(10, 20, 0)
  assert.equal(bucket.spend(0, 20), 0)
  assert.equal(bucket.spend(0, 5), 500)
  assert.equal(bucket.spend(100, 0), 400)
  assert.equal(bucket.spend(500, 0), 0)
  assert.equal(bucket.spend(500, 1e6), 60_000)
  bucket.give(500, 610)
  assert.equal(bucket.spend(500, 10), 0)
})
