import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { readSocket } from '../../src/net/reading.ts'
import { giveBack, isLent, type Slab, SlabPool } from '../../src/slab.ts'
import { Content } from '../sim/random.ts'

const KIB = 1024
const BULK = new Content('bulk').slice(0, 1024 * KIB)

/** A socket that was accepted, and the one at its other end. */
async function socketPair(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [near] = (await once(server, 'connection')) as [Socket]
  await once(far, 'connect')
  t.after(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return [near, far]
}

/** As socketPair, read by the module under test; slabs are ruined as soon as nothing of them is lent. */
async function readPair(t: TestContext, keep: (chunk: Buffer) => void) {
  const [near, far] = await socketPair(t)
  const pool = new SlabPool()
  const seen = { bytes: 0, lent: 0, recycled: 0, slabs: new Set<ArrayBufferLike>(), hash: createHash('sha256') }
  pool.onRecycled = (slab: Slab) => {
    seen.recycled++
    new Uint8Array(slab).fill(0xdb)
  }
  readSocket(
    near,
    chunk => {
      seen.bytes += chunk.length
      seen.hash.update(chunk)
      if (isLent(chunk)) {
        seen.lent += chunk.length
        seen.slabs.add(chunk.buffer)
      }
      keep(chunk)
    },
    pool,
  )
  return { near, far, pool, seen }
}

/** Sends the bulk so many times; resolves with its hash when it is handed over. */
async function send(far: Socket, times: number): Promise<string> {
  const hash = createHash('sha256')
  for (let time = 0; time < times; time++) {
    hash.update(BULK)
    if (!far.write(BULK)) await once(far, 'drain')
  }
  return hash.digest('hex')
}

async function sendAll(far: Socket, times: number): Promise<string> {
  const hash = await send(far, times)
  far.end()
  return hash
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await turn()
}

/** So many sockets may still go over to slabs. */
function slabsLeft(pool: SlabPool): number {
  const taken: Slab[] = []
  for (let slab = pool.take(); slab !== undefined; slab = pool.take()) taken.push(slab)
  for (const slab of taken) pool.leave(slab)
  return taken.length
}

test('bulk goes over to slabs, and who gives back at once needs a single one', async t => {
  const { near, far, seen } = await readPair(t, giveBack)
  const sent = await sendAll(far, 32)
  await once(near, 'end')
  assert.equal(seen.bytes, 32 * BULK.length)
  assert.equal(seen.hash.digest('hex'), sent)
  assert.ok(seen.lent > 8 * BULK.length, `${seen.lent} bytes came in slabs: does this Node have onread?`)
  assert.equal(seen.slabs.size, 1)
})

test('what is kept stays as it was read, while other slabs take what follows', async t => {
  const kept: Buffer[] = []
  const hash = createHash('sha256')
  const release = () => {
    const chunk = kept.shift()
    if (chunk === undefined) return
    hash.update(chunk)
    giveBack(chunk)
  }
  const { near, far, seen } = await readPair(t, chunk => {
    kept.push(chunk)
    if (kept.length > 8) release()
  })
  const sent = await sendAll(far, 32)
  await once(near, 'end')
  while (kept.length > 0) release()
  assert.equal(hash.digest('hex'), sent)
  assert.ok(seen.recycled > 10, `${seen.recycled} slabs were used again`)
  assert.ok(seen.slabs.size <= 10, `${seen.slabs.size} slabs for 8 chunks that were kept`)
})

test('a paused socket is not read, in slabs as before', async t => {
  const { near, far, seen } = await readPair(t, giveBack)
  const sent = sendAll(far, 64)
  await until(() => seen.lent > 0)
  near.pause()
  const { bytes } = seen
  // The far end can hand over no more: what it has is in the kernel and in its own queue.
  await until(() => far.writableLength > 0)
  for (let turns = 0; turns < 10; turns++) await turn()
  assert.equal(seen.bytes, bytes)
  near.resume()
  await sent
  await once(near, 'end')
  assert.equal(seen.bytes, 64 * BULK.length)
})

test('a socket that reads little after its bulk leaves its slab to others, and comes back to one', async t => {
  const { near, far, pool, seen } = await readPair(t, giveBack)
  await send(far, 16)
  await until(() => seen.bytes === 16 * BULK.length)
  assert.equal(slabsLeft(pool), 63)
  for (let count = 1; count <= 300; count++) {
    far.write('x')
    await until(() => seen.bytes === 16 * BULK.length + count)
  }
  assert.equal(slabsLeft(pool), 64)
  const { lent } = seen
  await sendAll(far, 16)
  await once(near, 'end')
  assert.ok(seen.lent > lent)
})

test('a socket that closes leaves its slab', async t => {
  const { near, far, pool, seen } = await readPair(t, giveBack)
  void send(far, 16).catch(() => {})
  await until(() => seen.lent > 0)
  near.destroy()
  await once(near, 'close')
  assert.equal(slabsLeft(pool), 64)
})

test('with no slab left, a socket is read as Node does by itself', async t => {
  const { near, far, pool, seen } = await readPair(t, giveBack)
  while (pool.take() !== undefined);
  const sent = await sendAll(far, 16)
  await once(near, 'end')
  assert.equal(seen.lent, 0)
  assert.equal(seen.hash.digest('hex'), sent)
})

test('a connection with less than bulk stays as it is', async t => {
  const { near, far, seen } = await readPair(t, giveBack)
  far.end(BULK.subarray(0, 100 * KIB))
  await once(near, 'end')
  assert.equal(seen.bytes, 100 * KIB)
  assert.equal(seen.lent, 0)
})
