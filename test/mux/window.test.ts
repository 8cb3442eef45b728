import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TunnelError } from '../../src/errors.ts'
import {
  GrowthBudget,
  INITIAL_WINDOW_BYTES,
  MAX_WINDOW_BYTES,
  ReceiveWindow,
  SendWindow,
} from '../../src/mux/window.ts'

const KIB = 1024
const endless = new GrowthBudget(Number.MAX_SAFE_INTEGER)

test('C58: a sender has what was granted less what it has sent, and a limit never goes back', () => {
  const window = new SendWindow(100)
  window.use(60)
  assert.equal(window.available, 40)
  assert.equal(window.grant(90), false)
  assert.equal(window.available, 40)
  assert.equal(window.grant(150), false, 'it had not run dry')
  window.use(90)
  assert.equal(window.available, 0)
  assert.equal(window.grant(150), false)
  assert.equal(window.grant(151), true)
  assert.equal(window.available, 1)
})

test('C51: one byte beyond the limit is a violation, the limit itself is not', () => {
  const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, endless, 0)
  window.take(INITIAL_WINDOW_BYTES)
  assert.throws(
    () => window.take(1),
    (error: TunnelError) => error.code === 'FLOW_CONTROL',
  )
})

test('a grant waits for a quarter of the window', () => {
  const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, endless, 0)
  window.take(64 * KIB)
  assert.equal(window.grant(64 * KIB - 1, 0, undefined), undefined)
  assert.equal(window.grant(64 * KIB, 0, undefined), INITIAL_WINDOW_BYTES + 64 * KIB)
  assert.equal(window.grant(64 * KIB, 0, undefined), undefined)
})

test('a window that is used up within four round trips doubles, up to 16 MiB', () => {
  const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, endless, 0)
  let consumed = 0
  const sizes = new Set<number>()
  for (let turn = 0; turn < 4_000; turn++) {
    consumed += 64 * KIB
    window.take(64 * KIB)
    window.grant(consumed, turn / 10, 100)
    sizes.add(window.window / KIB)
  }
  assert.deepEqual([...sizes], [256, 512, 1024, 2048, 4096, 8192, 16384])
  assert.equal(window.window, MAX_WINDOW_BYTES)
})

test('a window does not grow when it is used up slowly, nor before a round-trip time is known', () => {
  for (const { rttMs, turnMs } of [
    { rttMs: 1, turnMs: 1 },
    { rttMs: undefined, turnMs: 0 },
  ]) {
    const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, endless, 0)
    for (let turn = 1; turn < 100; turn++) {
      window.take(64 * KIB)
      window.grant(turn * 64 * KIB, turn * turnMs, rttMs)
    }
    assert.equal(window.window, INITIAL_WINDOW_BYTES)
  }
})

test('a grown window falls back after ten idle seconds and its budget is free again; what was granted stays granted', () => {
  const budget = new GrowthBudget(256 * KIB)
  const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, budget, 0)
  window.take(256 * KIB)
  assert.equal(window.grant(256 * KIB, 1, 100), 768 * KIB)
  assert.equal(window.window, 512 * KIB)
  assert.equal(budget.reserve(1), false)
  window.take(512 * KIB)
  assert.equal(window.grant(300 * KIB, 11_000, 100), undefined)
  window.grant(512 * KIB, 11_001, 100)
  assert.equal(window.window, INITIAL_WINDOW_BYTES)
  assert.equal(window.limit, 768 * KIB)
  assert.equal(budget.reserve(256 * KIB), true)
})

test('the end of a stream gives back what its window has grown by', () => {
  const budget = new GrowthBudget(256 * KIB)
  const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, budget, 0)
  window.take(256 * KIB)
  window.grant(256 * KIB, 1, 100)
  assert.equal(budget.reserve(1), false)
  window.release()
  assert.equal(budget.reserve(256 * KIB), true)
})

test('whatever is sent and read: limits rise, the peer never holds more than a window, growth keeps to its budget', () => {
  const step = fc.record({
    send: fc.integer({ min: 0, max: 300 * KIB }),
    read: fc.integer({ min: 0, max: 300 * KIB }),
    ms: fc.oneof(fc.constant(0), fc.constant(1), fc.integer({ min: 0, max: 12_000 })),
    rttMs: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 0, max: 4096 * KIB }), (steps, budgetBytes) => {
      let used = 0
      const budget = {
        reserve: (bytes: number) => {
          if (used + bytes > budgetBytes) return false
          used += bytes
          return true
        },
        release: (bytes: number) => {
          used -= bytes
        },
      }
      const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, budget, 0)
      const sender = new SendWindow(INITIAL_WINDOW_BYTES)
      let now = 0
      let consumed = 0
      let largest = INITIAL_WINDOW_BYTES
      for (const { send, read, ms, rttMs } of steps) {
        now += ms
        const bytes = Math.min(send, sender.available)
        sender.use(bytes)
        window.take(bytes)
        consumed = Math.min(window.received, consumed + read)
        const before = window.limit
        const limit = window.grant(consumed, now, rttMs)
        largest = Math.max(largest, window.window)
        if (limit !== undefined) {
          assert.ok(limit > before, 'a grant that grants nothing')
          assert.equal(limit - consumed, window.window)
          sender.grant(limit)
        }
        assert.ok(window.limit - consumed <= largest)
        assert.equal(used, window.window - INITIAL_WINDOW_BYTES)
        assert.ok(used <= budgetBytes && window.window <= MAX_WINDOW_BYTES)
      }
      window.release()
      assert.equal(used, 0)
    }),
    { numRuns: 200 },
  )
})

test('a reader that takes everything is never left without credit', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 * KIB }), { maxLength: 100 }), sizes => {
      const window = new ReceiveWindow(INITIAL_WINDOW_BYTES, endless, 0)
      const sender = new SendWindow(INITIAL_WINDOW_BYTES)
      for (const size of sizes) {
        const bytes = Math.min(size, sender.available)
        assert.ok(bytes > 0)
        sender.use(bytes)
        window.take(bytes)
        const limit = window.grant(window.received, 0, 1)
        if (limit !== undefined) sender.grant(limit)
      }
    }),
  )
})
