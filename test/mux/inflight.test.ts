import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inflight } from '../../src/mux/inflight.ts'
import { defaultLimits } from '../../src/mux/limits.ts'
import { Pair } from '../support/pair.ts'

const KIB = 1024
const limits = (maxInflightBytes: number) => ({ limits: { ...defaultLimits, maxInflightBytes } })

test('no more is under way than the smaller of what both ends allow, in either direction', async () => {
  for (const [own, peer] of [
    [512 * KIB, 8192 * KIB],
    [8192 * KIB, 512 * KIB],
  ] as const) {
    const pair = new Pair({ latencyMs: 50, initiator: limits(own), acceptor: limits(peer) })
    const streams = [await pair.open(), await pair.open(), await pair.open(), await pair.open()]
    let most = 0
    for (const { near, far } of streams) {
      for (const stream of [near, far]) {
        stream.resume()
        stream.write(Buffer.alloc(250 * KIB))
      }
    }
    for (let ms = 0; ms < 2_000; ms++) {
      await pair.clock.advance(1)
      most = Math.max(most, pair.initiator.keptBytes, pair.acceptor.keptBytes)
    }
    assert.ok(most > 300 * KIB && most <= 512 * KIB, `${most} bytes were under way`)
    for (const { near, far } of streams) {
      assert.deepEqual([near.bytesReceived, far.bytesReceived], [250 * KIB, 250 * KIB])
    }
  }
})

/** A path of one rate and one round-trip time with a queue in front, and a sender that always has more. */
class Path {
  readonly inflight = new Inflight()
  #bytesPerMs: number
  readonly #pathMs: number
  readonly #batchBytes = 8 * KIB
  #underWay: { seq: number; arrivesAt: number }[] = []
  #lineFreeAt = 0
  #seq = 0
  now = 0
  delivered = 0
  /** The longest that a batch stood in the queue since the last look. */
  queuedMs = 0

  constructor(megabitsPerSecond: number, pathMs: number) {
    this.#bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1000
    this.#pathMs = pathMs
  }

  become(megabitsPerSecond: number): void {
    this.#bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1000
  }

  get limit(): number {
    return this.inflight.limitBytes(this.#pathMs)
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now++) {
      const arrived = this.#underWay.filter(({ arrivesAt }) => arrivesAt <= this.now)
      this.#underWay = this.#underWay.slice(arrived.length)
      const last = arrived.at(-1)
      const bytes = arrived.length * this.#batchBytes
      this.delivered += bytes
      if (last !== undefined) this.inflight.acknowledged(last.seq + 1, bytes, this.now, this.#pathMs)
      while (this.#underWay.length * this.#batchBytes < this.limit) this.#send()
      this.inflight.held()
    }
  }

  #send(): void {
    this.inflight.sent(this.#seq, this.#batchBytes, this.now)
    const startsAt = Math.max(this.now, this.#lineFreeAt)
    this.queuedMs = Math.max(this.queuedMs, startsAt - this.now)
    this.#lineFreeAt = startsAt + this.#batchBytes / this.#bytesPerMs
    this.#underWay.push({ seq: this.#seq++, arrivesAt: this.#lineFreeAt + this.#pathMs })
  }
}

test('every path is kept busy, and little stands in front of it', () => {
  for (const [megabits, pathMs] of [
    [10, 50],
    [50, 200],
    [200, 100],
    [1000, 20],
    [100, 10],
  ] as const) {
    const path = new Path(megabits, pathMs)
    path.run(3_000)
    const before = path.delivered
    path.queuedMs = 0
    path.run(2_000)
    const share = ((path.delivered - before) * 8) / 1e6 / 2 / megabits
    assert.ok(share > 0.95, `${megabits} Mbit/s, ${pathMs} ms: ${share.toFixed(2)} of the rate`)
    const most = Math.max(60, pathMs)
    assert.ok(path.queuedMs < most, `${megabits} Mbit/s, ${pathMs} ms: ${path.queuedMs.toFixed(0)} ms in the queue`)
  }
})

test('the bound is a whole number of bytes', () => {
  const path = new Path(33.3, 33.3)
  path.run(3_000)
  assert.ok(Number.isSafeInteger(path.limit), String(path.limit))
  assert.ok(path.limit > 128 * KIB)
})

test('a path that becomes faster is found out, and one that becomes slower too', () => {
  const path = new Path(10, 50)
  path.run(3_000)
  const slow = path.limit
  path.become(200)
  path.run(5_000)
  assert.ok(path.limit > 5 * slow, `${slow} -> ${path.limit}`)
  path.become(10)
  path.run(60_000)
  assert.ok(path.limit < 2 * slow, `${slow} -> ${path.limit}`)
})

test('what is sent without haste says nothing of the path', () => {
  const path = new Path(100, 50)
  path.run(3_000)
  const before = path.limit
  for (let seq = 1e6; seq < 1e6 + 100; seq++) {
    path.inflight.sent(seq, 4 * KIB, path.now)
    path.now += 50
    path.inflight.acknowledged(seq + 1, 100, path.now, 50)
  }
  assert.equal(path.limit, before)
})

test('a little batch, which is acknowledged late, does not make the path seem slow to what follows it', () => {
  const inflight = new Inflight()
  inflight.sent(0, 100, 0)
  inflight.sent(1, 64 * KIB, 200)
  inflight.held()
  inflight.acknowledged(2, 64 * KIB, 220, 20)
  assert.equal(inflight.limitBytes(20), 2 * 128 * KIB)
})

test('another path begins anew; a short one has room at once', () => {
  const path = new Path(1000, 20)
  path.run(3_000)
  path.inflight.reset()
  assert.equal(path.inflight.limitBytes(20), new Inflight().limitBytes(20))
  assert.equal(new Inflight().limitBytes(undefined), 128 * KIB)
  assert.equal(new Inflight().limitBytes(0.5), 1024 * KIB)
})
