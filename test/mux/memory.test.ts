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
  const closed: { code: string; tellPeer: boolean }[] = []
  const state = { keptBytes: 0, state: 'live', streams }
  const close = ({ code }: { readonly code: string }, tellPeer: boolean): void => {
    closed.push({ code, tellPeer })
    state.keptBytes = 0
  }
  return {
    subject: Object.assign(state, { close }) as unknown as Session,
    state,
    closed,
    codes: () => all.map(({ code }) => code),
  }
}

test('of a session that holds too much, the streams that hold most are reset with LIMIT', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 10 * MIB, totalBytes: 1_000 * MIB })
  const { subject, codes } = session(MIB, 6 * MIB, 2 * MIB, 5 * MIB)
  memory.add(subject, 'ann')
  memory.grown(subject, 7 * MIB)
  assert.deepEqual(codes(), ['', '', '', ''], 'it is not weighed for a little more')
  memory.grown(subject, MIB)
  assert.deepEqual(codes(), ['', 'LIMIT', '', ''])
  assert.ok(weightOf(subject) < 10 * MIB)
})

test('when all hold too much together, the one that holds most gives way, whoever has grown', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 30 * MIB, totalBytes: 30 * MIB })
  const [small, large] = [session(4 * MIB, 4 * MIB), session(1, 20 * MIB, 4 * MIB)]
  for (const { subject } of [small, large]) memory.add(subject, 'ann')
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
  memory.add(subject, 'ann')
  clock.advanceSync(5_000)
  assert.deepEqual(codes(), ['LIMIT'])
  memory.remove(subject)
  assert.equal(clock.timers, 0)
})

test('who holds much in many sessions gives way before who holds less in one', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 30 * MIB, totalBytes: 30 * MIB })
  const ann = session(12 * MIB)
  const mallory = [session(9 * MIB), session(10 * MIB)]
  memory.add(ann.subject, 'ann')
  for (const { subject } of mallory) {
    memory.add(subject, 'mallory')
    memory.grown(subject, 9 * MIB)
  }
  memory.grown(ann.subject, 12 * MIB)
  assert.deepEqual([ann.codes(), ...mallory.map(({ codes }) => codes())], [[''], [''], ['LIMIT']])
})

test('a session whose client is away is not counted: it has a budget of its own', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 10 * MIB, totalBytes: 10 * MIB })
  const [away, here] = [session(9 * MIB), session(9 * MIB)]
  away.state.state = 'detached'
  for (const { subject } of [away, here]) memory.add(subject, 'ann')
  memory.grown(here.subject, 9 * MIB)
  assert.deepEqual([away.codes(), here.codes()], [[''], ['']])
})

test('a session that holds too much for a carrier that takes nothing is closed, and its client told why', () => {
  const memory = new SessionMemory(new VirtualClock(), { sessionBytes: 30 * MIB, totalBytes: 10 * MIB })
  const { subject, state, codes, closed } = session(MIB)
  state.keptBytes = 20 * MIB
  memory.add(subject, 'ann')
  memory.grown(subject, 21 * MIB)
  assert.deepEqual([codes(), closed], [['LIMIT'], [{ code: 'LIMIT', tellPeer: true }]])
})
