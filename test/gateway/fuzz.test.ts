import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { encodeCredit, encodeOpen, encodeOpened, encodeReset, FrameType } from '../../src/wire/frame.ts'
import { encodeAck, encodeDetach, encodePing, Kind } from '../../src/wire/message.ts'
import { target, World } from '../support/world.ts'
import { attach, batch } from './bench.ts'

/** mulberry32 */
function generator(seed: number): (end: number) => number {
  let state = seed
  return end => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }
}

const samples: Buffer[] = [
  attach(1),
  batch(1, [FrameType.OPEN, 1, encodeOpen(1_000, target)], [FrameType.DATA, 1, Buffer.alloc(100, 'x')]),
  batch(1, [FrameType.FIN, 1], [FrameType.CREDIT, 1, encodeCredit(1e12)], [FrameType.RESET, 1, encodeReset(7, 'why')]),
  batch(1, [FrameType.OPENED, 1, encodeOpened(1_000, 80)]),
  encodeAck(1, 0),
  encodePing(Kind.PING, 1, 1),
  encodePing(Kind.PONG, 1, 1),
  encodeDetach(1, { final: false, code: 39, retryMs: 0, reason: 'lost' }),
]

test('C78: whatever bytes either end sends, nothing throws, nobody else is harmed, and nothing is left', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const below = generator(seed)
    const world = new World()
    const honest = await world.joined()
    const bystander = honest.initiator.session.open(target)
    const mallory = await world.clientPath({ subject: 'mallory' })
    for (let count = 0; count < 300; count++) {
      const sample = samples[below(samples.length)] ?? Buffer.alloc(0)
      const bytes = Buffer.from(below(10) === 0 ? sample.subarray(0, below(sample.length + 1)) : sample)
      for (let flips = below(4); flips > 0 && bytes.length > 0; flips--) bytes[below(bytes.length)] = below(256)
      mallory.carriers.a.send(bytes)
      if (below(5) === 0) world.clock.turn()
    }
    await world.clock.advance(100)
    assert.equal(honest.initiator.session.state, 'live', `seed ${seed}`)
    assert.equal(bystander.destroyed, false, `seed ${seed}`)
    mallory.carriers.cut()
    honest.initiator.close(new TunnelError('SESSION_CLOSED', 'done'))
    await world.clock.advance(11 * 60_000)
    assert.deepEqual([world.gateway.legs, world.acceptor.sessions, world.clock.timers], [0, 0, 0], `seed ${seed}`)
  }
})
