/**
 * Bulk through memory that is used again (src/slab.ts): here each slab is ruined as soon as nobody holds a part of it, so that
 * whoever gives back too early shows as wrong bytes.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, beforeEach, test } from 'node:test'
import { slabs } from '../../src/slab.ts'
import { startInProcess } from '../support/inprocess.ts'
import { dial, pattern, readExactly, serve } from '../support/sockets.ts'

const MiB = 1024 * 1024
const SIZE = 48 * MiB

let recycled = 0
slabs.onRecycled = slab => {
  recycled++
  new Uint8Array(slab).fill(0xdb)
}
beforeEach(() => {
  recycled = 0
})

const scope = { after }

/** Two bytes ask for a direction and a seed: 0 is answered with the hash of what follows, 1 with the pattern of the seed. */
async function answer(socket: Socket): Promise<void> {
  const [direction, seed = 0] = await readExactly(socket, 2)
  if (direction === 0) socket.end(await hashOf(socket))
  else await pipeline(Readable.from(pattern(SIZE, seed)), socket)
}

const service = await serve(scope, socket => void answer(socket))
const tunnel = await startInProcess(scope, service)

async function hashOf(socket: Socket, pauseEvery = Number.POSITIVE_INFINITY): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  let until = pauseEvery
  socket.on('data', chunk => {
    hash.update(chunk)
    bytes += chunk.length
    if (bytes < until) return
    until += pauseEvery
    socket.pause()
    setTimeout(() => socket.resume(), 20)
  })
  await once(socket, 'end')
  return hash.digest('hex')
}

const hashes = new Map<number, string>()
function expected(seed: number): string {
  const known = hashes.get(seed)
  if (known !== undefined) return known
  const hash = createHash('sha256')
  for (const block of pattern(SIZE, seed)) hash.update(block)
  const made = hash.digest('hex')
  hashes.set(seed, made)
  return made
}

async function up(seed: number): Promise<void> {
  const socket = await dial(tunnel.port)
  socket.write(Buffer.from([0, seed]))
  let answer = ''
  socket.on('data', chunk => {
    answer += String(chunk)
  })
  const ended = once(socket, 'end')
  await pipeline(Readable.from(pattern(SIZE, seed)), socket)
  await ended
  assert.equal(answer, expected(seed), `upload ${seed}`)
}

async function down(seed: number, pauseEvery?: number): Promise<void> {
  const socket = await dial(tunnel.port)
  socket.end(Buffer.from([1, seed]))
  assert.equal(await hashOf(socket, pauseEvery), expected(seed), `download ${seed}`)
}

test('eight streams in both directions arrive whole', async () => {
  await Promise.all([1, 2, 3, 4].flatMap(seed => [up(seed), down(seed)]))
  assert.ok(recycled > 500, `${recycled} slabs were used again`)
})

test('readers that stop now and then get what was sent, while others go on', async () => {
  await Promise.all([down(5, 512 * 1024), down(6, 3 * MiB), down(7), up(8)])
  assert.ok(recycled > 200, `${recycled} slabs were used again`)
})

test('streams whose carrier dies under them, time and again, arrive whole', async () => {
  const transfers = Promise.all([up(1), down(2), up(3), down(4)])
  let running = true
  const ended = transfers.finally(() => {
    running = false
  })
  let deaths = 0
  while (running) {
    const carriers = tunnel.carriers.length
    await new Promise(resolve => setTimeout(resolve, 150))
    tunnel.carriers.at(-1)?.terminate()
    deaths++
    while (running && tunnel.carriers.length === carriers) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await ended
  assert.ok(deaths >= 2, `${deaths} deaths`)
  assert.ok(recycled > 100, `${recycled} slabs were used again`)
})
