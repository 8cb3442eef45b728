import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { Arrivals } from '../../../src/gateway/ingress/arrivals.ts'

let port = 0

class FakeSocket extends EventEmitter {
  readonly remoteAddress = '192.0.2.1'
  remotePort = ++port
  readonly localAddress = '192.0.2.9'
  readonly localPort = 443
  destroyed = false

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function door(perAddress: number) {
  const clock = { time: 0, now: () => clock.time }
  const arrivals = new Arrivals({ arrivalsPerAddress: perAddress, connectionsPerAddress: 4 }, clock)
  const arrive = (address = '192.0.2.1', socket = new FakeSocket()): FakeSocket => {
    arrivals.add(socket as unknown as Socket, address)
    return socket
  }
  const arrived = (socket: FakeSocket) => arrivals.arrived(socket as unknown as Socket)
  return { clock, arrivals, arrive, arrived }
}

const fates = (...sockets: FakeSocket[]): boolean[] => sockets.map(({ destroyed }) => destroyed)

test('of too many connections of one address, one that has taken its time makes room, and those of others stay', () => {
  const { clock, arrivals, arrive } = door(2)
  const other = arrive('198.51.100.7')
  const [first, second] = [arrive(), arrive()]
  clock.time = 2_001
  const third = arrive()
  assert.deepEqual(fates(other, first, second, third), [false, true, false, false])
  assert.deepEqual([arrivals.ended, arrivals.size], [1, 3])
})

test('while all are quick, the next one is closed, and who came first gets through', () => {
  const { clock, arrivals, arrive, arrived } = door(2)
  const [first, second] = [arrive(), arrive()]
  clock.time = 100
  const third = arrive()
  assert.deepEqual(fates(first, second, third), [false, false, true])
  arrived(first)
  const fourth = arrive()
  assert.deepEqual(fates(second, fourth), [false, false])
  assert.deepEqual([arrivals.ended, arrivals.size], [1, 2])
})

test('who has arrived is not counted, and makes room for nobody', () => {
  const { clock, arrive, arrived } = door(1)
  const first = arrive()
  arrived(first)
  const second = arrive()
  clock.time = 5_000
  const third = arrive()
  assert.deepEqual(fates(first, second, third), [false, true, false])
})

test('who leaves is forgotten, and a late end of one takes nothing of another with the same ends', () => {
  const { arrivals, arrive, arrived } = door(2)
  const first = arrive()
  arrived(first)
  const again = arrive('192.0.2.1', Object.assign(new FakeSocket(), { remotePort: first.remotePort }))
  first.destroy()
  assert.equal(arrivals.size, 1)
  again.destroy()
  assert.equal(arrivals.size, 0)
})

test('an address has so many connections, those included that have arrived, and one that ends makes room', () => {
  const { arrivals, arrive, arrived } = door(2)
  const all = [1, 2, 3, 4].map(() => {
    const socket = arrive()
    arrived(socket)
    return socket
  })
  const [first] = all
  assert.deepEqual(fates(...all, arrive(), arrive('198.51.100.7')), [false, false, false, false, true, false])
  first?.destroy()
  assert.deepEqual(fates(arrive(), arrive()), [false, true])
  assert.equal(arrivals.ended, 2)
})
