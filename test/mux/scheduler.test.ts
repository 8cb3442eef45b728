import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LITTLE_BYTES, QUANTUM_BYTES, Scheduler, type Sender } from '../../src/mux/scheduler.ts'

const KIB = 1024

class Source implements Sender {
  readonly name: string
  left: number
  readonly log: string[]
  readonly turns: number[] = []

  constructor(name: string, bytes: number, log: string[] = []) {
    this.name = name
    this.left = bytes
    this.log = log
  }

  get pendingBytes(): number {
    return this.left
  }

  serve(maxBytes: number): boolean {
    const bytes = Math.min(maxBytes, this.left)
    this.left -= bytes
    this.turns.push(bytes)
    this.log.push(`${this.name}${bytes / KIB}`)
    return this.left > 0
  }
}

/** A scheduler that sends only what `budget` allows, so that sources queue first. */
function held(): { scheduler: Scheduler; send: (turns: number) => void } {
  let turns = 0
  const scheduler = new Scheduler(() => {
    if (turns <= 0) return 0
    turns--
    return 64 * KIB
  })
  return {
    scheduler,
    send: allowed => {
      turns = allowed
      scheduler.pump()
    },
  }
}

test('a stream alone fills a whole batch at once', () => {
  const source = new Source('a', 150 * KIB)
  new Scheduler(() => 64 * KIB).ready(source)
  assert.deepEqual(source.turns, [64 * KIB, 64 * KIB, 22 * KIB])
})

test('streams take turns of one quantum, in the order in which they came, and the last one left has it all', () => {
  const { scheduler, send } = held()
  const log: string[] = []
  for (const name of ['a', 'b', 'c']) scheduler.ready(new Source(name, name === 'c' ? 100 * KIB : 20 * KIB, log))
  send(100)
  assert.deepEqual(log, ['a16', 'b16', 'c16', 'a4', 'b4', 'c64', 'c20'])
  assert.equal(scheduler.waiting, 0)
})

test('nothing is served while nothing may be sent, and nothing is forgotten', () => {
  const { scheduler, send } = held()
  const source = new Source('a', 1)
  scheduler.ready(source)
  scheduler.ready(source)
  assert.deepEqual(source.turns, [])
  assert.equal(scheduler.waiting, 1)
  send(1)
  assert.deepEqual(source.turns, [1])
  assert.equal(scheduler.waiting, 0)
})

test('a stream that was removed is not served', () => {
  const { scheduler, send } = held()
  const [a, b] = [new Source('a', 1), new Source('b', 1)]
  scheduler.ready(a)
  scheduler.ready(b)
  scheduler.remove(a)
  send(9)
  assert.deepEqual([a.turns, b.turns], [[], [1]])
})

test('a stream that has more to say from inside its own turn goes to the back', () => {
  const log: string[] = []
  const { scheduler, send } = held()
  let again = 2
  const eager: Sender = {
    pendingBytes: 20 * KIB,
    serve: () => {
      log.push('eager')
      if (again-- > 0) scheduler.ready(eager)
      return false
    },
  }
  scheduler.ready(eager)
  scheduler.ready(new Source('b', 32 * KIB, log))
  send(9)
  assert.deepEqual(log, ['eager', 'b16', 'eager', 'b16', 'eager'])
})

test('a sender that throws does not stop the others for ever', () => {
  const { scheduler, send } = held()
  const source = new Source('b', 1)
  scheduler.ready({
    pendingBytes: 1,
    serve: () => {
      throw new Error('broken')
    },
  })
  scheduler.ready(source)
  assert.throws(() => send(9), /broken/)
  send(9)
  assert.deepEqual(source.turns, [1])
})

test('between two turns of a stream every other one gets at most one quantum', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 * KIB }), { minLength: 2, maxLength: 8 }), sizes => {
      const { scheduler, send } = held()
      const sources = sizes.map((size, index) => new Source(String(index), size))
      for (const source of sources) scheduler.ready(source)
      while (scheduler.waiting > 1) {
        const before = sources.map(({ left }) => left)
        send(scheduler.waiting)
        sources.forEach((source, index) => {
          assert.ok((before[index] ?? 0) - source.left <= QUANTUM_BYTES || scheduler.waiting <= 1)
          if (source.left > 0) assert.ok(source.left < (before[index] ?? 0), 'left out of a round')
        })
      }
    }),
  )
})

test('who has little to say goes before all bulk, once, and then the others have a turn', () => {
  const { scheduler, send } = held()
  const log: string[] = []
  for (const name of ['a', 'b']) scheduler.ready(new Source(name, 32 * KIB, log))
  const typist = new Source('t', KIB, log)
  scheduler.ready(typist)
  send(1)
  assert.deepEqual(log, ['t1'])
  typist.left = KIB
  scheduler.ready(typist)
  send(100)
  assert.deepEqual(log, ['t1', 't1', 'a16', 'b16', 'a16', 'b16'])
})

test('streams that always have a little more starve nobody', () => {
  const { scheduler, send } = held()
  const log: string[] = []
  const chatter: Sender = {
    pendingBytes: 1,
    serve: () => {
      log.push('chatter')
      scheduler.ready(chatter)
      return false
    },
  }
  scheduler.ready(chatter)
  scheduler.ready(new Source('a', 32 * KIB, log))
  send(6)
  assert.deepEqual(log.slice(0, 3), ['chatter', 'a32', 'chatter'])
})

test('room for a little is asked for apart: it may be there when there is none for more', () => {
  const asked: boolean[] = []
  const scheduler = new Scheduler(little => {
    asked.push(little)
    return little ? 1 : 0
  })
  const [little, much] = [new Source('l', LITTLE_BYTES), new Source('m', LITTLE_BYTES + 1)]
  scheduler.ready(much)
  scheduler.ready(little)
  assert.deepEqual([little.turns, much.turns], [[LITTLE_BYTES], []])
  assert.equal(scheduler.waiting, 1)
})
