import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { ApiError, type Watcher } from '../../src/kubernetes/api.ts'
import { type Reflection, reflect } from '../../src/kubernetes/reflector.ts'
import { ManualClock } from '../agent/manual-clock.ts'

test('a watch that the network has lost without a word is begun again, and said to have failed', async () => {
  const clock = new ManualClock()
  const told: string[] = []
  const end = new AbortController()
  let watches = 0
  const api = {
    get: async () => ({ items: [], metadata: { resourceVersion: '7' } }),
    watch: (path: string, { opened }: Watcher, signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        watches++
        told.push(`watch from ${new URLSearchParams(path.split('?')[1]).get('resourceVersion')}`)
        opened()
        if (watches === 2) return end.abort()
        signal.addEventListener('abort', () => reject(new TunnelError('UNREACHABLE', 'lost')), { once: true })
      }),
  }
  const reflection: Reflection = {
    replaced: () => void told.push('list'),
    changed: () => {},
    watching: () => void told.push('watching'),
    failed: ({ message }) => void told.push(message),
  }
  void reflect({ api, path: '/api/v1/services', reflection, clock, random: () => 0 }, end.signal)
  for (let turn = 0; turn < 100 && !end.signal.aborted; turn++) {
    await new Promise(setImmediate)
    clock.advance(100_000)
  }
  assert.deepEqual(told, ['list', 'watch from 7', 'watching', 'lost', 'watch from 7', 'watching'])
})

test('a watch that ends at once, in order or for its version, is not begun again at once', async () => {
  for (const refusal of [undefined, new ApiError(410, 'gone')]) {
    const clock = new ManualClock()
    const end = new AbortController()
    let watches = 0
    const api = {
      get: async () => ({ items: [], metadata: { resourceVersion: '7' } }),
      watch: async () => {
        watches++
        if (refusal !== undefined) throw refusal
      },
    }
    const reflection: Reflection = { replaced() {}, changed() {}, watching() {}, failed: () => assert.fail() }
    const running = reflect({ api, path: '/api/v1/services', reflection, clock, random: () => 0.9 }, end.signal)
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    assert.equal(watches, 1)
    clock.advance(1_000)
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    assert.equal(watches, 2)
    end.abort()
    await running
  }
})
