import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLink } from '../../src/carrier/memory.ts'
import { Reception } from '../../src/gateway/reception.ts'
import { nullLog } from '../../src/observe/log.ts'
import { decodeJson, encodeJson, Kind, kindOf } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { principal } from '../support/world.ts'

interface End {
  /** When it was asked to leave, in milliseconds from the time of asking. */
  readonly leaveMs: number[]
  readonly closed: { code: number; reason: string }[]
  hello(): void
  leave(): void
}

function reception() {
  const clock = new VirtualClock()
  const lines: string[] = []
  const note = (event: string) => lines.push(event)
  const log = { ...nullLog, info: note, warn: note }
  const subject = new Reception({ software: 'test', clock, wallNow: () => clock.now(), log })
  /** An end that has said HELLO, or with `silent` has not. */
  const end = async (role: 'agent' | 'connect', name = 'home', silent = false): Promise<End> => {
    const { a, b } = memoryLink({ clock })
    const leaveMs: number[] = []
    const closed: End['closed'] = []
    a.start({
      message: message => {
        if (kindOf(message) === Kind.DRAIN) leaveMs.push(Number(decodeJson(message).afterMs))
      },
      drain: () => {},
      closed: at => closed.push(at),
    })
    subject.greet(b, principal(role, { agents: [name] }))
    const hello = () => a.send(encodeJson(Kind.HELLO, { role, software: 'test', instance: name }))
    if (!silent) hello()
    await clock.runUntilIdle()
    return { leaveMs, closed, hello, leave: () => a.close(1001, 'moved') }
  }
  const ends = async (role: 'agent' | 'connect', count: number): Promise<End[]> => {
    const all: End[] = []
    for (let index = 0; index < count; index++) all.push(await end(role, `${role}-${index}`))
    return all
  }
  /** Begins a drain; `done` is set when it has ended. */
  const drain = async (timeoutMs: number, endNow = new AbortController().signal) => {
    const state = { done: false }
    void subject.drain(timeoutMs, endNow).then(() => {
      state.done = true
    })
    await clock.runUntilIdle()
    return state
  }
  return { clock, subject, end, ends, drain, lines }
}

const timesOf = (ends: readonly End[]): number[] => ends.flatMap(({ leaveMs }) => leaveMs)

test('agents are asked to leave first, 20 ms apart, and clients half a second after the last of them', async () => {
  const { ends, drain } = reception()
  const clients = await ends('connect', 4)
  const agents = await ends('agent', 3)
  await drain(30_000)
  assert.deepEqual(timesOf(agents), [0, 20, 40])
  assert.deepEqual(timesOf(clients), [560, 580, 600, 620])
})

test('without agents, clients need not wait for any', async () => {
  const { ends, drain } = reception()
  const clients = await ends('connect', 3)
  await drain(30_000)
  assert.deepEqual(timesOf(clients), [0, 20, 40])
})

test('the shorter the time, the closer together: all are asked within four fifths of it', async () => {
  const { ends, drain } = reception()
  const clients = await ends('connect', 100)
  const agents = await ends('agent', 50)
  await drain(1_000)
  const [agentTimes, clientTimes] = [timesOf(agents), timesOf(clients)]
  assert.equal(agentTimes.length + clientTimes.length, 150, 'each is asked once')
  assert.deepEqual(agentTimes.slice(0, 3), [0, 4, 8])
  assert.ok(Math.max(...agentTimes) < 200)
  assert.equal(clientTimes[0], 200)
  assert.ok(Math.max(...clientTimes) < 800)
  assert.deepEqual(
    clientTimes,
    clientTimes.toSorted((a, b) => a - b),
  )
})

test('it is done as soon as the last one has left', async () => {
  const { clock, ends, drain } = reception()
  const [agent, client] = [await ends('agent', 1), await ends('connect', 1)].flat()
  const state = await drain(30_000)
  await clock.advance(1_000)
  agent?.leave()
  await clock.advance(1_000)
  assert.equal(state.done, false)
  client?.leave()
  await clock.advance(100)
  assert.equal(state.done, true)
  assert.equal(clock.timers, 0)
})

test('one that has not said HELLO yet is waited for, and asked to leave when it has', async () => {
  const { clock, end, drain } = reception()
  const late = await end('connect', 'late', true)
  const state = await drain(30_000)
  await clock.advance(1_000)
  assert.equal(state.done, false)
  late.hello()
  await clock.advance(100)
  assert.deepEqual(late.leaveMs, [0])
  late.leave()
  await clock.advance(100)
  assert.equal(state.done, true)
})

test('who does not leave is left behind when the time is up', async () => {
  const { clock, ends, drain, subject } = reception()
  await ends('connect', 2)
  const state = await drain(1_000)
  await clock.advance(999)
  assert.equal(state.done, false)
  await clock.advance(51)
  assert.equal(state.done, true)
  assert.equal(subject.carriers, 2)
})

test('in a hurry it ends at once', async () => {
  const { clock, ends, drain } = reception()
  await ends('connect', 1)
  const hurry = new AbortController()
  const state = await drain(30_000, hurry.signal)
  hurry.abort()
  await clock.runUntilIdle()
  assert.equal(state.done, true)
})

test('with nobody there, there is nothing to wait for', async () => {
  const { clock, drain } = reception()
  assert.equal((await drain(30_000)).done, true)
  assert.equal(clock.timers, 0)
})

test('one subject has so many carriers in each role, and one that leaves makes room', async () => {
  const { subject, end } = reception()
  const who = principal('connect', { subject: 'ann' })
  const all = await Promise.all(Array.from({ length: 64 }, () => end('connect', 'ann')))
  const [first] = all
  assert.throws(() => subject.admit(principal('connect')), { code: 'LIMIT', message: /64 carriers of/ })
  subject.admit(who)
  subject.admit(principal('agent'))
  first?.leave()
  await end('agent')
  subject.admit(principal('connect'))
})

test('C98: whoever comes again and again is asked to wait, and others are not', () => {
  const { clock, subject } = reception()
  const who = principal('connect', { subject: 'restless' })
  for (let count = 0; count < 128; count++) subject.admit(who)
  assert.throws(() => subject.admit(who), { code: 'LIMIT', message: /comes too often/ })
  subject.admit(principal('connect', { subject: 'ann' }))
  clock.advanceSync(100)
  subject.admit(who)
  assert.throws(() => subject.admit(who), { code: 'LIMIT' })
})

test('B43: a HELLO whose software is no text is taken for one that says nothing', async () => {
  const { clock, subject } = reception()
  const { a, b } = memoryLink({ clock })
  const closed: number[] = []
  a.start({ message: () => {}, drain: () => {}, closed: ({ code }) => closed.push(code) })
  subject.greet(b, principal('connect'))
  a.send(encodeJson(Kind.HELLO, { role: 'connect', software: { toString: 1, valueOf: null } }))
  await clock.runUntilIdle()
  assert.deepEqual([closed, subject.carriers], [[], 1])
})

test('whoever is revoked is closed with 4401 at once, and nobody else', async () => {
  const { clock, subject, end, lines } = reception()
  const [agent, client] = [await end('agent'), await end('connect')]
  subject.endRevoked(({ role }) => role === 'connect')
  await clock.runUntilIdle()
  assert.deepEqual(
    [agent, client].map(({ closed }) => closed),
    [[], [{ code: 4401, reason: 'the access has been revoked' }]],
  )
  assert.equal(lines.filter(line => line === 'revoked').length, 1)
})

test('closing ends every carrier with 1012, and is done when the last line about them is written', async () => {
  const { clock, end, ends, subject, lines } = reception()
  const all = [...(await ends('agent', 2)), ...(await ends('connect', 2)), await end('connect', 'late', true)]
  const closing = subject.close().then(() => lines.push('closed'))
  await clock.runUntilIdle()
  await closing
  assert.deepEqual(
    all.flatMap(({ closed }) => closed.map(({ code }) => code)),
    Array(5).fill(1012),
  )
  assert.deepEqual(lines.slice(-5), [...Array(4).fill('disconnected'), 'closed'])
  await subject.close()
})
