import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rates } from '../../../src/cli/output/rates.ts'
import { forward } from './snapshot.ts'

test('the first sample knows no rate, the second does', () => {
  const rates = new Rates()
  assert.deepEqual(rates.sample(0, [forward(0, { bytesUp: 5000 })]), [{ up: 0, down: 0 }])
  const [rate] = rates.sample(500, [forward(0, { bytesUp: 6000, bytesDown: 100 })])
  assert.deepEqual(rate, { up: 2000, down: 200 })
})

test('a steady flow has a steady rate, and two seconds after it stopped there is none', () => {
  const rates = new Rates()
  const at = (ms: number) => rates.sample(ms, [forward(0, { bytesDown: Math.min(ms, 10_000) * 10 })])[0]?.down ?? -1
  for (let ms = 0; ms <= 10_000; ms += 250) assert.equal(Math.round(at(ms)), ms === 0 ? 0 : 10_000)
  const falling = Array.from({ length: 8 }, (_, index) => at(10_250 + index * 250))
  assert.deepEqual(
    falling,
    [...falling].sort((a, b) => b - a),
  )
  assert.equal(falling.at(-1), 0)
})

test('forwards to the same target are told apart, whatever their order', () => {
  const rates = new Rates()
  rates.sample(0, [forward(0), forward(1)])
  const sampled = rates.sample(1000, [forward(1, { bytesUp: 7 }), forward(0, { bytesUp: 3 })])
  assert.deepEqual(
    sampled.map(rate => rate.up),
    [7, 3],
  )
})

test('a counter that begins again, or time that stands still, is no rate', () => {
  const rates = new Rates()
  rates.sample(0, [forward(0, { bytesUp: 1000 })])
  assert.deepEqual(rates.sample(1000, [forward(0, { bytesUp: 10 })]), [{ up: 0, down: 0 }])
  assert.deepEqual(new Rates().sample(5, [forward(0)]), [{ up: 0, down: 0 }])
})
