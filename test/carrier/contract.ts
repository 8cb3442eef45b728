/** What every carrier promises (src/carrier/carrier.ts), as one suite that each implementation passes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Carrier, type CarrierEnd, HIGH_WATER_BYTES, LOW_WATER_BYTES } from '../../src/carrier/carrier.ts'

export interface CarrierPair {
  readonly a: Carrier
  readonly b: Carrier
  /** Lets things happen until `done`; throws when it does not come to that. */
  until(done: () => boolean): Promise<void>
  dispose(): Promise<void>
}

interface Seen {
  readonly messages: Buffer[]
  readonly ends: CarrierEnd[]
  drains: number
  /** Messages that came after the end. */
  late: number
}

function start(carrier: Carrier): Seen {
  const seen: Seen = { messages: [], ends: [], drains: 0, late: 0 }
  carrier.start({
    message: (message, rest) => {
      seen.messages.push(Buffer.concat([message, ...rest]))
      if (rest.length > 0) assert.ok(message.length >= 4096, 'the first buffer is large enough for every header')
      if (seen.ends.length > 0) seen.late++
    },
    drain: () => seen.drains++,
    closed: end => seen.ends.push(end),
  })
  return seen
}

export function carrierContract(name: string, open: () => Promise<CarrierPair>): void {
  const check = (what: string, body: (pair: CarrierPair) => Promise<void>) =>
    test(`${name}: ${what}`, async () => {
      const pair = await open()
      try {
        await body(pair)
      } finally {
        await pair.dispose()
      }
    })

  check('messages arrive whole and in order, both ways', async ({ a, b, until }) => {
    const [atA, atB] = [start(a), start(b)]
    const sizes = [1, 125, 126, 65_535, 65_536, 131_072, 3, 40_000]
    const messages = sizes.map((size, index) => Buffer.alloc(size, index + 1))
    for (const message of messages) a.send(message)
    for (const message of messages.toReversed()) b.send(message)
    await until(() => atA.messages.length === sizes.length && atB.messages.length === sizes.length)
    assert.deepEqual(atB.messages, messages)
    assert.deepEqual(atA.messages, messages.toReversed())
  })

  check(
    'a carrier that is held delivers nothing from the next message on, and then everything in order',
    async pair => {
      const { a, b, until } = pair
      const got: number[] = []
      let holds = 0
      b.start({
        message: message => {
          got.push(message[0] ?? 0)
          if (message[0] === 2 || message[0] === 4) {
            holds++
            b.hold(20)
            b.hold(1e9)
          }
        },
        drain: () => {},
        closed: () => got.push(-1),
      })
      start(a)
      for (let number = 1; number <= 5; number++) a.send(Buffer.alloc(40_000, number))
      await until(() => got.length > 0)
      a.close(1000, 'done')
      await until(() => got.includes(-1))
      assert.deepEqual([got, holds], [[1, 2, 3, 4, 5, -1], 2])
    },
  )

  check('a message that goes on in other buffers arrives as one', async ({ a, b, until }) => {
    const [atA, atB] = [start(a), start(b)]
    const parts = [18, 40_000, 26, 5_000, 8].map((size, index) => Buffer.alloc(size, index + 1))
    const [first = Buffer.alloc(0), ...rest] = parts
    a.send(first, rest)
    b.send(first, rest.slice(1, 2))
    await until(() => atA.messages.length === 1 && atB.messages.length === 1)
    assert.deepEqual(atB.messages, [Buffer.concat(parts)])
    assert.deepEqual(atA.messages, [Buffer.concat([first, ...rest.slice(1, 2)])])
    assert.deepEqual(
      parts.map(part => part[0]),
      [1, 2, 3, 4, 5],
      'the sender keeps its bytes',
    )
  })

  check('the receiver owns what it gets: changing it changes nothing at the sender', async ({ a, b, until }) => {
    const received: Buffer[] = []
    b.start({ message: message => received.push(message), drain: () => {}, closed: () => {} })
    start(a)
    const message = Buffer.from('mine')
    a.send(message)
    await until(() => received.length === 1)
    received[0]?.fill(0)
    assert.equal(message.toString(), 'mine')
  })

  check('what arrives before start is delivered first', async ({ a, b, until }) => {
    const atA = start(a)
    a.send(Buffer.from('early'))
    b.send(Buffer.from('also early'))
    await until(() => atA.messages.length === 1)
    const atB = start(b)
    a.send(Buffer.from('late'))
    await until(() => atB.messages.length === 2)
    assert.deepEqual(atB.messages.map(String), ['early', 'late'])
  })

  check('bytes that have not left are counted, and drain tells when most of them have', async ({ a, b, until }) => {
    const [atA, atB] = [start(a), start(b)]
    const message = Buffer.alloc(64 * 1024)
    let sent = 0
    while (a.bufferedBytes < HIGH_WATER_BYTES) {
      a.send(message)
      sent++
    }
    assert.equal(atA.drains, 0)
    await until(() => atA.drains === 1)
    assert.ok(a.bufferedBytes < LOW_WATER_BYTES)
    await until(() => atB.messages.length === sent)
    a.send(Buffer.from('a little more'))
    await until(() => atB.messages.length === sent + 1)
    assert.deepEqual([atA.drains, a.bufferedBytes], [1, 0])
  })

  check(
    'close delivers what was queued before it, then its code and reason; each end learns once',
    async ({ a, b, until }) => {
      const [atA, atB] = [start(a), start(b)]
      for (let index = 0; index < 50; index++) a.send(Buffer.alloc(10_000, index))
      a.close(4409, 'another took its place')
      a.close(1000, 'again')
      await until(() => atA.ends.length > 0 && atB.ends.length > 0)
      assert.equal(atB.messages.length, 50)
      assert.deepEqual(atB.ends, [{ code: 4409, reason: 'another took its place' }])
      assert.equal(atA.ends[0]?.code, 4409)
      b.close(1000, 'late')
      b.terminate()
      await until(() => true)
      assert.deepEqual([atA.ends.length, atB.ends.length, atA.late, atB.late], [1, 1, 0, 0])
    },
  )

  check('any text is a reason, cut to what a close can carry', async ({ a, b, until }) => {
    const [, atB] = [start(a), start(b)]
    a.close(4400, 'é'.repeat(500))
    await until(() => atB.ends.length > 0)
    assert.equal(atB.ends[0]?.code, 4400)
    assert.match(atB.ends[0]?.reason ?? '', /^é+$/)
  })

  check('terminate ends both, without a word', async ({ a, b, until }) => {
    const [atA, atB] = [start(a), start(b)]
    a.terminate()
    await until(() => atA.ends.length > 0 && atB.ends.length > 0)
    assert.deepEqual([atA.ends.map(({ code }) => code), atB.ends.map(({ code }) => code)], [[1006], [1006]])
  })

  check('after the end sending and closing do nothing', async ({ a, b, until }) => {
    const [atA, atB] = [start(a), start(b)]
    a.terminate()
    await until(() => atA.ends.length > 0 && atB.ends.length > 0)
    for (const carrier of [a, b]) {
      carrier.send(Buffer.from('nobody hears this'))
      carrier.close(1000, '')
      carrier.terminate()
    }
    await until(() => true)
    assert.deepEqual([atA.messages, atB.messages, atA.ends.length, atB.ends.length], [[], [], 1, 1])
  })

  check('an end before start is told at start', async ({ a, b, until }) => {
    const atA = start(a)
    a.terminate()
    await until(() => atA.ends.length > 0)
    let atB: Seen | undefined
    await until(() => true)
    atB = start(b)
    await until(() => (atB?.ends.length ?? 0) > 0)
    assert.equal(atB.ends.length, 1)
  })
}
