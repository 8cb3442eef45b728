import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { Arrivals } from '../../../src/gateway/ingress/arrivals.ts'

let port = 0

class FakeSocket extends EventEmitter {
  readonly remoteAddress = '192.0.2.1'
  readonly remotePort = ++port
  readonly localAddress = '192.0.2.9'
  readonly localPort = 443
  destroyed = false

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function arrive(arrivals: Arrivals, address: string): FakeSocket {
  const socket = new FakeSocket()
  arrivals.add(socket as unknown as Socket, address)
  return socket
}

test('of too many connections of one address the oldest makes room, and those of others stay', () => {
  const arrivals = new Arrivals(2)
  const other = arrive(arrivals, '198.51.100.7')
  const all = [1, 2, 3, 4].map(() => arrive(arrivals, '192.0.2.1'))
  assert.deepEqual(
    [other, ...all].map(({ destroyed }) => destroyed),
    [false, true, true, false, false],
  )
  assert.deepEqual([arrivals.ended, arrivals.size], [2, 3])
})

test('who has arrived is not counted and makes room for nobody', () => {
  const arrivals = new Arrivals(1)
  const first = arrive(arrivals, '192.0.2.1')
  arrivals.arrived(first as unknown as Socket)
  const second = arrive(arrivals, '192.0.2.1')
  const third = arrive(arrivals, '192.0.2.1')
  assert.deepEqual([first.destroyed, second.destroyed, third.destroyed], [false, true, false])
})

test('who leaves is forgotten, and a late end of one takes nothing of another with the same ends', () => {
  const arrivals = new Arrivals(2)
  const first = arrive(arrivals, '192.0.2.1')
  arrivals.arrived(first as unknown as Socket)
  const again = Object.assign(new FakeSocket(), { remotePort: first.remotePort })
  arrivals.add(again as unknown as Socket, '192.0.2.1')
  first.destroy()
  assert.equal(arrivals.size, 1)
  again.destroy()
  assert.equal(arrivals.size, 0)
})
