import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLink } from '../../src/carrier/memory.ts'
import { VirtualClock } from '../support/clock.ts'
import { carrierContract } from './contract.ts'

for (const latencyMs of [0, 25]) {
  carrierContract(`memory, ${latencyMs} ms`, async () => {
    const clock = new VirtualClock()
    const { a, b } = memoryLink({ clock, latencyMs })
    const until = async (done: () => boolean) => {
      clock.advanceSync(1_000)
      if (!done()) throw new Error('nothing moves any more')
    }
    return { a, b, until, dispose: async () => {} }
  })
}

const silent = { drain: () => {}, closed: () => {} }

test('a cut loses what is under way, and both ends learn at once', () => {
  const clock = new VirtualClock()
  const link = memoryLink({ clock, latencyMs: 10 })
  const seen: string[] = []
  const handler = (name: string) => ({
    message: (message: Buffer) => seen.push(`${name} ${message}`),
    drain: () => {},
    closed: ({ code }: { code: number }) => seen.push(`${name} ${code}`),
  })
  link.a.start(handler('a'))
  link.b.start(handler('b'))
  link.a.send(Buffer.from('in time'))
  clock.advanceSync(10)
  link.a.send(Buffer.from('too late'))
  clock.advanceSync(5)
  link.cut()
  assert.deepEqual(seen, ['b in time', 'a 1006', 'b 1006'])
  clock.advanceSync(100)
  assert.equal(seen.length, 3)
})

test('a black hole swallows and tells nobody', () => {
  const clock = new VirtualClock()
  const link = memoryLink({ clock })
  const seen: string[] = []
  link.b.start({ ...silent, message: message => seen.push(String(message)), closed: () => seen.push('closed') })
  link.blackhole()
  link.a.send(Buffer.from('x'))
  link.a.close(1000, '')
  clock.advanceSync(1_000)
  assert.deepEqual(seen, [])
})

test('a frozen link keeps everything in order until it thaws', () => {
  const clock = new VirtualClock()
  const link = memoryLink({ clock, latencyMs: 5 })
  const seen: string[] = []
  link.b.start({ ...silent, message: message => seen.push(String(message)), closed: () => seen.push('closed') })
  link.freeze()
  link.a.send(Buffer.from('one'))
  link.a.send(Buffer.from('two'))
  clock.advanceSync(1_000)
  assert.deepEqual([seen, link.a.bufferedBytes], [[], 6])
  link.a.close(1000, '')
  clock.advanceSync(1_000)
  link.thaw()
  assert.deepEqual(seen, ['one', 'two', 'closed'])
})
