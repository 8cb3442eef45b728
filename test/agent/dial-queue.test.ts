import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DialQueue } from '../../src/agent/dial-queue.ts'
import { settled } from '../support/clock.ts'

const never = new AbortController().signal

/** Who has had a turn, in order, and what gives each on. */
function line(perSubject: number) {
  const queue = new DialQueue(perSubject)
  const turns: string[] = []
  const done = new Map<string, () => void>()
  const ask = (name: string, subject = 'ann', signal = never, target = 'db/prod:1') => {
    const turn = queue.turn(subject, target, signal)
    void turn.then(
      give => {
        turns.push(name)
        done.set(name, give)
      },
      () => {},
    )
    return turn
  }
  return { queue, turns, ask, end: (name: string) => done.get(name)?.() }
}

test('C67: dials over the limit wait for their turn, in order, and those of others do not wait for them', async () => {
  const { queue, turns, ask, end } = line(2)
  for (const name of ['a', 'b', 'c', 'd']) void ask(name)
  void ask('other', 'bob')
  await settled()
  assert.deepEqual(turns, ['a', 'b', 'other'])
  end('b')
  await settled()
  assert.deepEqual(turns.at(-1), 'c')
  end('a')
  end('c')
  await settled()
  assert.deepEqual(turns.at(-1), 'd')
  for (const name of ['d', 'other']) end(name)
  assert.equal(queue.size, 0)
})

test('whoever gives up while it waits takes no turn, and leaves nothing', async () => {
  const { queue, turns, ask, end } = line(1)
  const gone = new AbortController()
  void ask('a')
  const given = ask('b', 'ann', gone.signal)
  void ask('c')
  gone.abort(new Error('left'))
  await assert.rejects(given, /left/)
  end('a')
  await settled()
  assert.deepEqual(turns, ['a', 'c'])
  end('c')
  await assert.rejects(ask('d', 'ann', AbortSignal.abort(new Error('too late'))), /too late/)
  assert.equal(queue.size, 0)
})

test('not more than so many wait, nor dial: the next one is told so', async () => {
  const { queue, ask } = line(2)
  for (let count = 0; count < 34; count++) void ask(String(count))
  await assert.rejects(ask('too many'), { code: 'LIMIT', message: /32 connections wait/ })
  for (let target = 2; target <= 8; target++) {
    for (let count = 0; count < 2; count++) void ask(`${target}`, 'ann', never, `db/prod:${target}`)
  }
  await assert.rejects(ask('too many', 'ann', never, 'db/prod:9'), { code: 'LIMIT' })
  void ask('other', 'bob')
  await settled()
  assert.equal(queue.size, 34 + 14 + 1)
})

test('a service that does not answer keeps nobody waiting who wants another', async () => {
  const { turns, ask } = line(1)
  for (let count = 0; count < 5; count++) void ask('dead')
  void ask('alive', 'ann', never, 'web/prod:1')
  await settled()
  assert.deepEqual(turns, ['dead', 'alive'])
})
