import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after, describe, test } from 'node:test'
import { Lane, type Sender } from '../bench/link/lane.ts'
import { type Profile, profiles } from '../bench/link/profile.ts'
import { Relay } from '../bench/link/relay.ts'
import { queueBytes, Shaper } from '../bench/link/shaper.ts'
import { Stalls, seeded } from '../bench/link/stalls.ts'
import { VirtualClock } from './support/clock.ts'

const narrow = { bitsPerSecond: 8e6, delayMs: 25 }
const bytesPerMs = 1_000

describe('one direction of the link of the bench', () => {
  /** Everything that arrives up to `now`, with the moment in which it was taken. */
  function receiver(shaper: Shaper) {
    let got = 0
    return {
      arrive: (bytes: Buffer) => {
        got += bytes.length
      },
      at: (now: number) => {
        shaper.take(now)
        return got
      },
    }
  }

  test('delivers a byte the delay after it has passed the stage, and not before', () => {
    const shaper = new Shaper(narrow)
    const { arrive, at } = receiver(shaper)
    shaper.put(100, Buffer.alloc(1), arrive)
    assert.equal(shaper.next, 100 + 0.001 + 25)
    assert.equal(at(125), 0)
    assert.equal(at(125.001), 1)
    assert.equal(shaper.next, undefined)
  })

  test('lets so many bytes through per second, whatever they come in', () => {
    const shaper = new Shaper(narrow)
    const { arrive, at } = receiver(shaper)
    for (let piece = 0; piece < 100; piece++) shaper.put(0, Buffer.alloc(300), arrive)
    shaper.put(0, Buffer.alloc(30_000), arrive)
    for (const ms of [1, 2.5, 29, 31, 59]) assert.equal(at(25 + ms), ms * bytesPerMs)
    assert.equal(at(1_000), 60_000)
  })

  test('begins anew after a pause: what was not used is lost', () => {
    const shaper = new Shaper(narrow)
    const { arrive, at } = receiver(shaper)
    shaper.put(0, Buffer.alloc(1_000), arrive)
    shaper.put(5_000, Buffer.alloc(10_000), arrive)
    assert.equal(at(5_025), 1_000)
    assert.equal(at(5_030), 6_000)
  })

  test('has a queue that is finite, and on its way whatever the delay holds beside it', () => {
    const shaper = new Shaper({ bitsPerSecond: 8e6, delayMs: 1_000 })
    const { arrive, at } = receiver(shaper)
    const most = queueBytes(8e6)
    assert.equal(most, 64 * 1024 + 100 * bytesPerMs)
    let put = 0
    for (let now = 0; now <= 1_000; now++) {
      const room = shaper.room(now)
      shaper.put(now, Buffer.alloc(room), arrive)
      put += room
    }
    assert.equal(put, most + 1_000 * bytesPerMs)
    assert.throws(() => shaper.put(1_000, Buffer.alloc(1), arrive), RangeError)
    assert.equal(at(1_000), 0)
    assert.equal(at(1_500), 500 * bytesPerMs)
  })

  test('keeps the order of bytes and marks of all who share it', () => {
    const shaper = new Shaper(narrow)
    const seen: string[] = []
    const put = (text: string) => shaper.put(0, Buffer.from(text), bytes => seen.push(bytes.toString()))
    put('one')
    shaper.mark(0, () => seen.push('mark'))
    put('two')
    put('three')
    shaper.take(25.004)
    assert.deepEqual(seen, ['one', 'mark', 't'])
    shaper.take(26)
    assert.deepEqual(seen, ['one', 'mark', 't', 'wo', 'three'])
  })
})

describe('those who share the link of the bench', () => {
  /** A sender with so many bytes; what arrives is noted with the time. */
  function sender(clock: VirtualClock, bytes: number) {
    const arrivals: { at: number; bytes: number }[] = []
    let left = bytes
    const it: Sender = {
      give: most => {
        const given = Math.min(most, left)
        left -= given
        return Buffer.alloc(given)
      },
      arrive: ({ length }) => arrivals.push({ at: clock.now(), bytes: length }),
    }
    return { it, arrivals, total: () => arrivals.reduce((sum, each) => sum + each.bytes, 0) }
  }

  test('take turns when the queue is full', () => {
    const clock = new VirtualClock()
    const lane = new Lane(narrow, clock)
    const rivals = Array.from({ length: 3 }, () => sender(clock, 1e7))
    for (const { it } of rivals) lane.enlist(it)
    clock.advanceSync(2_025)
    const late = sender(clock, 100)
    lane.enlist(late.it)
    const waited = queueBytes(8e6) / bytesPerMs + 25
    clock.advanceSync(waited + 10)
    assert.equal(late.total(), 100, 'one who comes late waits for the queue, not for all that the others have')
    clock.advanceSync(1_000)
    const shares = rivals.map(({ total }) => total())
    const [least, most] = [Math.min(...shares.slice(1)), Math.max(...shares.slice(1))]
    assert.ok(most - least <= 1_500, shares.join())
    const all = shares.reduce((sum, share) => sum + share, 100)
    assert.ok(Math.abs(all - (clock.now() - 25) * bytesPerMs) <= bytesPerMs, `${all} bytes`)
  })

  test('read when there is room for what they bring, one after the other', () => {
    const clock = new VirtualClock()
    const lane = new Lane(narrow, clock)
    const read: string[] = []
    const { it } = sender(clock, 1e6)
    lane.whenRoom(64 * 1024, () => read.push('at once'))
    lane.enlist(it)
    lane.whenRoom(20_000, () => read.push('first'))
    lane.whenRoom(1, () => read.push('second'))
    assert.deepEqual(read, ['at once'])
    clock.advanceSync(1e6 / bytesPerMs)
    assert.deepEqual(read, ['at once', 'first', 'second'])
  })

  test('get their bytes within a millisecond of the time that is right, and no timer is left', () => {
    const clock = new VirtualClock()
    const lane = new Lane(narrow, clock)
    const { it, arrivals, total } = sender(clock, 10_000)
    lane.enlist(it)
    clock.advanceSync(100)
    assert.equal(total(), 10_000)
    let got = 0
    for (const { at, bytes } of arrivals) {
      got += bytes
      const due = 25 + got / bytesPerMs
      assert.ok(at >= due - 0.001 && at <= due + 1.001, `byte ${got} at ${at}`)
    }
    assert.equal(clock.timers, 0)
  })
})

describe('the stalls of the link of the bench', () => {
  const { stall } = profiles.stalling

  test('stop its time for as long as they last', () => {
    const chances = [1, 0, 1, 1, 1, 1]
    const stalls = new Stalls(stall, 1_000, () => chances.shift() ?? 1)
    const times = [1_050, 1_100, 1_150, 1_299, 1_300, 1_350].map(now => stalls.linkTime(now))
    assert.deepEqual(times, [1_050, 1_100, 1_100, 1_100, 1_100, 1_150])
  })

  test('begin with the given chance in each slot that is free, and are the same for the same seed', () => {
    const lost = (seed: number) => 1e6 - new Stalls(stall, 0, seeded(seed)).linkTime(1e6)
    assert.equal(lost(1), lost(1))
    assert.notEqual(lost(1), lost(2))
    const share = lost(1) / 1e6
    assert.ok(share > 0.015 && share < 0.025, `${share} of the time`)
  })
})

describe('the relay of the link of the bench', () => {
  const quick: Profile = { name: 'quick', roundTripMs: 2, bitsPerSecond: 1e9 }
  const servers: Server[] = []
  after(() => {
    for (const server of servers) server.close()
  })

  async function listen(server: Server): Promise<number> {
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  /** Both ends of a connection over a link. */
  async function pair(): Promise<{ near: Socket; far: Socket }> {
    const behind = createServer({ allowHalfOpen: true })
    const relay = new Relay(quick, { now: () => performance.now(), after: later, defer: setImmediate }, 1)
    const port = await listen(relay.server(await listen(behind)))
    const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const [far] = (await once(behind, 'connection')) as [Socket]
    return { near, far }
  }

  const later = (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  }

  function all(socket: Socket): Promise<Buffer> {
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    return new Promise(resolve => socket.on('end', () => resolve(Buffer.concat(chunks))))
  }

  const isReset = (socket: Socket) => new Promise(resolve => socket.on('error', () => undefined).on('close', resolve))

  test('carries every byte both ways, and each end on its own', async () => {
    const { near, far } = await pair()
    const sent = Buffer.from(Array.from({ length: 3e5 }, (_, index) => index % 251))
    near.end(sent)
    assert.ok((await all(far)).equals(sent))
    far.end(sent)
    assert.ok((await all(near)).equals(sent))
  })

  test('passes on a reset', async () => {
    const { near, far } = await pair()
    const ended = isReset(near)
    near.write('x')
    await once(far, 'data')
    far.resetAndDestroy()
    assert.equal(await ended, true)
  })

  test('resets a connection that nobody takes', async () => {
    const taken = createServer()
    const nobody = await listen(taken)
    await new Promise(resolve => taken.close(resolve))
    const relay = new Relay(quick, { now: () => performance.now(), after: later, defer: setImmediate }, 1)
    const near = connect({ port: await listen(relay.server(nobody)), host: '127.0.0.1' })
    assert.equal(await isReset(near), true)
  })
})
