import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type MemoryCarrier, memoryLink } from '../../src/carrier/memory.ts'
import type { Link } from '../../src/mux/link.ts'
import { Links, type LinksOptions } from '../../src/mux/links.ts'
import { encodeJson, Kind } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'

interface Dialled {
  readonly link: Link
  /** The gateway's end. */
  readonly far: MemoryCarrier
  readonly closed: string[]
}

function world(options: Partial<LinksOptions> = {}) {
  const clock = new VirtualClock()
  const told: string[] = []
  let far: MemoryCarrier | undefined
  let closed: string[] = []
  let sleptMs = 0
  const links = new Links({
    dialGateway: async () => {
      const carriers = memoryLink({ clock })
      const heard: string[] = []
      carriers.b.start({ message: () => {}, drain: () => {}, closed: ({ reason }) => heard.push(reason) })
      carriers.b.send(encodeJson(Kind.WELCOME, {}))
      far = carriers.b
      closed = heard
      return carriers.a
    },
    clock,
    wallNow: () => clock.now() + sleptMs,
    random: () => 0,
    hello: () => ({ role: 'connect', software: 'test' }),
    move: reason => told.push(reason),
    ended: ({ code }) => told.push(`ended ${code}`),
    ...options,
  })
  const dial = async (): Promise<Dialled> => {
    const dialling = links.dial(new AbortController().signal)
    await clock.runUntilIdle()
    const link = await dialling
    assert.ok(far)
    return { link, far, closed }
  }
  const sleep = (ms: number) => {
    sleptMs += ms
  }
  return { clock, told, links, dial, sleep }
}

const drain = ({ far }: Dialled, body: object): void => far.send(encodeJson(Kind.DRAIN, body))

test('what was dialled is in use when it is adopted, and the one before is given back', async () => {
  const { links, dial } = world()
  const first = await dial()
  assert.equal(links.current, undefined)
  assert.equal(links.adopt(first.link), undefined)
  assert.equal(links.current, first.link)
  assert.equal(links.adopt(first.link), undefined, 'it does not replace itself')
  const second = await dial()
  assert.equal(links.adopt(second.link), first.link)
  assert.equal(links.current, second.link)
})

test('the end of the link in use is told; that of one that was left is not', async () => {
  const { links, dial, told, clock } = world()
  const [first, second] = [await dial(), await dial()]
  links.adopt(first.link)
  links.adopt(second.link)
  first.far.terminate()
  await clock.runUntilIdle()
  assert.deepEqual(told, [])
  assert.equal(links.current, second.link)
  second.far.terminate()
  await clock.runUntilIdle()
  assert.deepEqual(told, ['ended GATEWAY_UNREACHABLE'])
  assert.equal(links.current, undefined)
})

test('a link that has ended before it is adopted is told as ended at once', async () => {
  const { links, dial, told, clock } = world()
  const { link, far } = await dial()
  far.close(1012, 'bye')
  await clock.runUntilIdle()
  links.adopt(link)
  assert.deepEqual(told, ['ended DRAINING'])
  assert.equal(links.current, undefined)
})

test('kept for want of another it is the one in use; beside another it is closed', async () => {
  const { links, dial, clock } = world()
  const [first, second] = [await dial(), await dial()]
  links.keep(first.link)
  assert.equal(links.current, first.link)
  links.keep(first.link)
  links.keep(second.link)
  await clock.runUntilIdle()
  assert.equal(links.current, first.link)
  assert.deepEqual([first.closed, second.closed], [[], ['another carrier serves already']])
})

for (const [random, atMs] of [
  [0, 60_000],
  [0.5, 57_000],
  [1, 54_000],
] as const) {
  test(`a schedule of a minute comes after ${atMs} ms when chance says ${random}`, async () => {
    const { links, dial, told, clock } = world({ redialEveryMs: 60_000, random: () => random })
    links.adopt((await dial()).link)
    await clock.advance(atMs - 1)
    assert.deepEqual(told, [])
    await clock.advance(1)
    assert.deepEqual(told, ['schedule'])
  })
}

test('the schedule of a link that was left, or has ended, asks for nothing', async () => {
  const { links, dial, told, clock } = world({ redialEveryMs: 60_000 })
  const [first, second] = [await dial(), await dial()]
  links.adopt(first.link)
  await clock.advance(30_000)
  links.adopt(second.link)
  await clock.advance(59_999)
  assert.deepEqual(told, [])
  second.far.terminate()
  first.far.terminate()
  await clock.runUntilIdle()
  assert.equal(clock.timers, 0, 'the schedule of a link that has ended is left behind')
  assert.deepEqual(told, ['ended GATEWAY_UNREACHABLE'])
})

test('without a schedule a healthy link stays', async () => {
  const { links, dial, told, clock } = world()
  links.adopt((await dial()).link)
  await clock.advance(7 * 24 * 3_600_000)
  assert.deepEqual(told, [])
})

test('a gateway that drains says when to leave', async () => {
  const { links, dial, told, clock } = world()
  const dialled = await dial()
  links.adopt(dialled.link)
  drain(dialled, { afterMs: 500 })
  await clock.advance(499)
  assert.deepEqual(told, [])
  await clock.advance(1)
  assert.deepEqual(told, ['drain'])
})

test('a gateway that sees a token end says why it asks', async () => {
  const { links, dial, told, clock } = world()
  const dialled = await dial()
  links.adopt(dialled.link)
  drain(dialled, { afterMs: 0, why: 'expiry' })
  await clock.advance(0)
  assert.deepEqual(told, ['expiry'])
})

for (const body of [{}, { afterMs: 0, why: 'whim' }, { afterMs: -1 }, { afterMs: 'soon' }]) {
  test(`DRAIN ${JSON.stringify(body)} means now`, async () => {
    const { links, dial, told, clock } = world()
    const dialled = await dial()
    links.adopt(dialled.link)
    drain(dialled, body)
    await clock.advance(0)
    assert.deepEqual(told, ['drain'])
  })
}

test('DRAIN on a link that is in use no more, or not yet, moves nothing', async () => {
  const { links, dial, told, clock } = world()
  const [first, second, third] = [await dial(), await dial(), await dial()]
  links.adopt(first.link)
  drain(first, { afterMs: 100 })
  drain(third, { afterMs: 100 })
  await clock.runUntilIdle()
  links.adopt(second.link)
  await clock.advance(1_000)
  assert.deepEqual(told, [])
})

test('of several DRAINs on one link the last counts, and there is no timer for more than that', async () => {
  const { links, dial, told, clock } = world()
  const dialled = await dial()
  links.adopt(dialled.link)
  const before = clock.timers
  for (let times = 0; times < 20; times++) drain(dialled, { afterMs: 1_000 - times })
  await clock.runUntilIdle()
  assert.equal(clock.timers, before + 1)
  await clock.advance(2_000)
  assert.deepEqual(told, ['drain'])
})

test('a link that was asked to leave and has ended leaves no timer', async () => {
  const { links, dial, clock } = world()
  const before = clock.timers
  const dialled = await dial()
  links.adopt(dialled.link)
  drain(dialled, { afterMs: 3_600_000 })
  await clock.runUntilIdle()
  dialled.far.close(1012, 'over')
  await clock.runUntilIdle()
  assert.equal(clock.timers, before)
})

test('DRAIN that came before the link was adopted counts', async () => {
  const { links, dial, told, clock } = world()
  const dialled = await dial()
  drain(dialled, { afterMs: 100 })
  await clock.runUntilIdle()
  links.adopt(dialled.link)
  await clock.advance(100)
  assert.deepEqual(told, ['drain'])
})

test('a sleep of this machine is told from start to close', async () => {
  const { links, told, clock, sleep } = world()
  sleep(60_000)
  await clock.advance(2_000)
  assert.deepEqual(told, [])
  links.start()
  sleep(60_000)
  await clock.advance(2_000)
  assert.deepEqual(told, ['sleep'])
  links.close('over')
  sleep(60_000)
  await clock.advance(2_000)
  assert.deepEqual(told, ['sleep'])
})

test('closed, nothing of what was planned happens, and no timer is left', async () => {
  const { links, dial, told, clock } = world({ redialEveryMs: 60_000 })
  links.start()
  const dialled = await dial()
  links.adopt(dialled.link)
  drain(dialled, { afterMs: 30_000 })
  await clock.runUntilIdle()
  links.close('over')
  await clock.runUntilIdle()
  assert.equal(clock.timers, 0)
  assert.deepEqual(told, ['ended GATEWAY_UNREACHABLE'])
  assert.deepEqual(dialled.closed, ['over'])
})
