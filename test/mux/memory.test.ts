import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionMemory, weightOf } from '../../src/mux/memory.ts'
import type { Session } from '../../src/mux/session.ts'
import { VirtualClock } from '../support/clock.ts'

const MIB = 1024 * 1024

class FakeStream {
  writableLength = 0
  readableLength: number
  readonly #streams: Map<number, FakeStream>
  readonly id: number
  code = ''

  constructor(streams: Map<number, FakeStream>, id: number, readableLength: number) {
    this.#streams = streams
    this.id = id
    this.readableLength = readableLength
    streams.set(id, this)
  }

  reset({ code }: { readonly code: string }): void {
    this.code = code
    this.#streams.delete(this.id)
  }
}

/** A session whose streams hold so many bytes each. */
function session(...bytes: number[]) {
  const streams = new Map<number, FakeStream>()
  const all = bytes.map((each, id) => new FakeStream(streams, id, each))
  const subject = { keptBytes: 0, streams } as unknown as Session
  return { subject, codes: () => all.map(({ code }) => code) }
}

test('of a session that holds too much, the streams that hold most are reset with LIMIT', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 10 * MIB, totalBytes: 1_000 * MIB })
  const { subject, codes } = session(MIB, 6 * MIB, 2 * MIB, 5 * MIB)
  memory.add(subject)
  memory.grown(subject, 7 * MIB)
  assert.deepEqual(codes(), ['', '', '', ''], 'it is not weighed for a little more')
  memory.grown(subject, MIB)
  assert.deepEqual(codes(), ['', 'LIMIT', '', ''])
  assert.ok(weightOf(subject) < 10 * MIB)
})

test('when all hold too much together, the one that holds most gives way, whoever has grown', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 30 * MIB, totalBytes: 30 * MIB })
  const [small, large] = [session(4 * MIB, 4 * MIB), session(1, 20 * MIB, 4 * MIB)]
  for (const { subject } of [small, large]) memory.add(subject)
  memory.grown(large.subject, 25 * MIB)
  memory.grown(small.subject, 8 * MIB)
  assert.deepEqual(
    [small.codes(), large.codes()],
    [
      ['', ''],
      ['', 'LIMIT', ''],
    ],
  )
})

test('what grows without a word is found within five seconds, and a session that has ended is not asked again', () => {
  const clock = new VirtualClock()
  const memory = new SessionMemory(clock, { sessionBytes: MIB, totalBytes: MIB })
  const { subject, codes } = session(2 * MIB)
  memory.add(subject)
  clock.advanceSync(5_000)
  assert.deepEqual(codes(), ['LIMIT'])
  memory.remove(subject)
  assert.equal(clock.timers, 0)
})
