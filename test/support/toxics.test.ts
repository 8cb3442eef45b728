import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './processes.ts'
import { dial, echoed, outcome, pattern, readAll, readExactly, serveByHand, serveEcho } from './sockets.ts'
import { ToxicRelay } from './toxics.ts'
import type { Scope } from './tunnel.ts'

const MiB = 1024 * 1024

/** A client and a service that are joined through a relay. */
async function joined(scope: Scope) {
  const hand = await serveByHand(scope)
  const relay = await ToxicRelay.start(scope, hand.port)
  const join = async () => {
    const [client, served] = await Promise.all([dial(relay.port), hand.accepted()])
    return { client, served }
  }
  return { relay, join, ...(await join()) }
}

const nothingIsLeft = (relay: ToxicRelay) =>
  eventually(
    () => relay.connections === 0,
    () => `${relay.connections} connections are left`,
  )

test('a relay passes bytes whole and in order, and half-close, whatever the toxics are meanwhile', async t => {
  const { relay, client, served } = await joined(t)
  const sent = Buffer.concat([...pattern(2 * MiB)])
  const [up, down] = [readAll(served), readAll(client)]
  const troubles = [
    { latencyMs: 2, jitterMs: 5 },
    { sliceBytes: 1_000 },
    { bytesPerSecond: 20 * MiB },
    { latencyMs: 1, jitterMs: 3, sliceBytes: 20_000, bytesPerSecond: 30 * MiB },
    {},
  ]
  for (const [index, toxics] of troubles.entries()) {
    relay.set(toxics)
    const part = sent.subarray((index * sent.length) / 5, ((index + 1) * sent.length) / 5)
    for (const socket of [client, served])
      if (!socket.write(part)) await new Promise(done => socket.once('drain', done))
  }
  client.end()
  assert.ok((await up).equals(sent))
  served.end()
  assert.ok((await down).equals(sent))
  await nothingIsLeft(relay)
})

test('latency delays each way, and does not limit what is under way', async t => {
  const relay = await ToxicRelay.start(t, await serveEcho(t))
  const client = await dial(relay.port)
  await echoed(client, 'first')
  relay.set({ latencyMs: 50 })
  const since = performance.now()
  for (let word = 0; word < 200; word++) client.write(`word ${word % 10}`)
  await readExactly(client, 200 * 6)
  const ms = performance.now() - since
  assert.ok(ms >= 98, `an echo took ${ms} ms`)
  // One after another, they would need 20 s.
  assert.ok(ms < 5_000, `200 echoes took ${ms} ms`)
})

test('a rate holds for each direction', async t => {
  const { relay, client, served } = await joined(t)
  relay.set({ bytesPerSecond: 1_000_000 })
  const since = performance.now()
  for (const socket of [client, served]) socket.write(Buffer.alloc(300_000))
  await Promise.all([readExactly(client, 300_000), readExactly(served, 300_000)])
  const ms = performance.now() - since
  assert.ok(ms >= 295, `it took ${ms} ms`)
})

test('a cut comes behind exactly its byte, as a reset or as an end, and no other connection is cut', async t => {
  const { relay, join, ...first } = await joined(t)
  for (const how of ['reset', 'limit'] as const) {
    for (const direction of ['up', 'down'] as const) {
      const { client, served } = await join()
      const [from, to] = direction === 'up' ? [client, served] : [served, client]
      relay.set({ sliceBytes: 5_000 })
      const seen = { bytes: 0 }
      to.on('data', chunk => {
        seen.bytes += chunk.length
      })
      const struck = relay.cut({ how, direction, afterBytes: 123_457 })
      const ends = [from, to].map(outcome)
      to.once('end', () => to.end())
      from.once('end', () => from.end())
      from.write(Buffer.alloc(200_000))
      await struck
      const [sender, receiver] = await Promise.all(ends)
      if (how === 'limit') {
        assert.deepEqual([sender, receiver, seen.bytes], ['in order', 'in order', 123_457])
      } else {
        assert.equal(sender, 'ECONNRESET')
        // A receiver that was not fast enough is told of a reset before the last bytes, and by libuv even as of an end.
        assert.ok(seen.bytes <= 123_457, `${seen.bytes} bytes passed`)
      }
    }
  }
  first.client.write('still here')
  assert.equal((await readExactly(first.served, 10)).toString(), 'still here')
})

test('a reset now takes every connection', async t => {
  const { relay, join, ...first } = await joined(t)
  const second = await join()
  const ends = [first, second].flatMap(({ client, served }) => [client, served]).map(outcome)
  relay.reset()
  assert.deepEqual(new Set(await Promise.all(ends)), new Set(['ECONNRESET']))
  await nothingIsLeft(relay)
})

test('a black hole passes nothing and tells nobody, and gives everything back when it heals', async t => {
  const { relay, join, client, served } = await joined(t)
  relay.blackHole({ newToo: false })
  client.write('into the hole')
  served.write('from the other side')
  const other = await join()
  other.client.write('past it')
  assert.equal((await readExactly(other.served, 7)).toString(), 'past it')
  // Nothing came meanwhile, and nobody hears that the other side is gone.
  assert.deepEqual([client.read(), served.read()], [null, null])
  relay.blackHole({ newToo: true })
  const late = await dial(relay.port)
  late.write('too')
  other.client.resetAndDestroy()
  await sleep(50)
  assert.deepEqual([client.destroyed, served.destroyed, other.served.destroyed], [false, false, false])
  const reset = outcome(other.served)
  relay.heal()
  assert.equal((await readExactly(served, 13)).toString(), 'into the hole')
  assert.equal((await readExactly(client, 19)).toString(), 'from the other side')
  assert.equal(await reset, 'ECONNRESET')
})

test('a receiver that does not read stops the sender, and the relay keeps little', async t => {
  const { relay, client, served } = await joined(t)
  relay.set({ latencyMs: 1 })
  served.pause()
  const taken = await stalledAfter(client)
  // The kernel's buffers of two connections are most of it.
  assert.ok(taken < 64 * MiB, `${taken} bytes were taken`)
  const gone = outcome(client)
  relay.reset()
  assert.equal(await gone, 'ECONNRESET')
  await nothingIsLeft(relay)
})

/** How much a socket takes until it has taken nothing for a while. */
async function stalledAfter(socket: Socket): Promise<number> {
  let taken = 0
  const block = Buffer.alloc(64 * 1024)
  for (;;) {
    let timer: NodeJS.Timeout | undefined
    const stalled = new Promise<'stalled'>(resolve => {
      timer = setTimeout(() => resolve('stalled'), 300)
    })
    const written = new Promise<void>(resolve => socket.write(block, () => resolve()))
    const first = await Promise.race([written, stalled])
    clearTimeout(timer)
    if (first === 'stalled') return taken
    taken += block.length
    if (taken > 256 * MiB) return taken
  }
}
