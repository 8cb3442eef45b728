import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heaviestFirst } from '../../src/net/heaviest.ts'

const order = (...items: [owner: string, bytes: number][]): string[] =>
  heaviestFirst(
    items,
    ([owner]) => owner,
    ([, bytes]) => bytes,
  ).map(item => item.join(' '))

test('whoever has most in all comes first, with the largest of it, also behind somebody with one larger thing', () => {
  assert.deepEqual(order(['ann', 12], ['mallory', 9], ['mallory', 10], ['bob', 1]), [
    'mallory 10',
    'mallory 9',
    'ann 12',
    'bob 1',
  ])
})

test('of nothing there is no first', () => {
  assert.deepEqual(order(), [])
})
