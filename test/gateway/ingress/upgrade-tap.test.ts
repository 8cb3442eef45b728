import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Opcode } from '../../../src/carrier/framing.ts'
import type { Side } from '../../../src/gateway/ingress/frame.ts'
import { UpgradeTap } from '../../../src/gateway/ingress/upgrade-tap.ts'
import { brief, closeBody, encode, keyOf, type Shape } from './frames.ts'

const { TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE } = Opcode

/** A tap under a clock that each `say` first moves on. */
function tapped(log?: string[]): { readonly tap: UpgradeTap; say(from: Side, shape: Shape, afterMs?: number): void } {
  let now = 1_000
  const tap = new UpgradeTap({
    now: () => now,
    log: log === undefined ? undefined : (frame, from) => log.push(`${from} ${brief(frame)}`),
  })
  return {
    tap,
    say: (from, shape, afterMs = 0) => {
      now += afterMs
      tap[from].read(encode({ ...shape, key: keyOf(from) }))
    },
  }
}

const ping = (text: string): Shape => ({ opcode: PING, payload: Buffer.from(text) })
const pong = (text: string): Shape => ({ opcode: PONG, payload: Buffer.from(text) })

test('each direction has its own totals, the same with a log and without', () => {
  for (const log of [undefined, []]) {
    const { tap, say } = tapped(log)
    say('client', { opcode: TEXT, payload: Buffer.alloc(10) })
    say('client', { opcode: BINARY, payload: Buffer.alloc(300), fin: false })
    say('client', { opcode: CONTINUATION, payload: Buffer.alloc(5) })
    say('service', { opcode: TEXT })
    say('service', ping('?'))
    const { client, service, closedBy } = tap.summary()
    const rest = { close: undefined, roundTrips: undefined, broken: undefined }
    assert.deepEqual(client, { frames: 3, messages: 2, text: 1, binary: 1, bytes: 315, ...rest })
    assert.deepEqual(service, { frames: 2, messages: 1, text: 1, binary: 0, bytes: 0, ...rest })
    assert.equal(closedBy, undefined)
  }
})

test('the log has every frame of both directions, in the order in which they pass', () => {
  const log: string[] = []
  const { say } = tapped(log)
  say('client', { opcode: TEXT, payload: Buffer.alloc(3) })
  say('service', { opcode: BINARY, payload: Buffer.alloc(4), fin: false, reserved: 0x40 })
  say('client', ping('a'))
  say('service', pong('a'))
  say('service', { opcode: CLOSE, payload: closeBody(1001, 'restart') })
  assert.deepEqual(log, [
    'client TEXT 3',
    'service BINARY*+ 4',
    'client PING a',
    'service PONG a',
    'service CLOSE 1001 restart',
  ])
})

test('who closed first is told, and what each side said last', () => {
  const { tap, say } = tapped()
  say('service', { opcode: CLOSE, payload: closeBody(4000, 'first') })
  say('service', { opcode: CLOSE, payload: closeBody(4001, 'last\u0007') })
  say('client', { opcode: CLOSE })
  const { client, service, closedBy } = tap.summary()
  assert.deepEqual([service.close, closedBy], [{ code: 4001, reason: 'last\u0007' }, 'service'])
  assert.deepEqual(client.close, { code: 1005, reason: '' })
})

test('a ping is measured to the pong of the other side with the same payload', () => {
  const { tap, say } = tapped()
  say('client', ping('a'))
  say('service', ping('a'), 1)
  // The client's answer is to the ping of the service, and not to its own.
  say('client', pong('a'), 4)
  say('service', pong('b'), 10)
  say('service', pong('a'), 10)
  say('client', ping('c'))
  say('service', pong('c'), 5)
  const { client, service } = tap.summary()
  assert.deepEqual(client.roundTrips, { count: 2, lastMs: 5, minMs: 5, meanMs: 15, maxMs: 25 })
  assert.deepEqual(service.roundTrips, { count: 1, lastMs: 4, minMs: 4, meanMs: 4, maxMs: 4 })
})

test('pings with one payload are answered in order, and each once', () => {
  const { tap, say } = tapped()
  say('service', ping(''))
  say('service', ping(''), 100)
  for (const afterMs of [20, 3, 1_000]) say('client', pong(''), afterMs)
  assert.deepEqual(tap.summary().service.roundTrips, { count: 2, lastMs: 23, minMs: 23, meanMs: 71.5, maxMs: 120 })
})

test('a pong settles the pings before its own, which a peer need not answer', () => {
  const { tap, say } = tapped()
  for (const text of ['a', 'b', 'c']) say('client', ping(text))
  say('service', pong('b'), 7)
  say('service', pong('a'), 100)
  assert.deepEqual(tap.summary().client.roundTrips?.count, 1)
  say('service', pong('c'), 1)
  assert.deepEqual(tap.summary().client.roundTrips, { count: 2, lastMs: 108, minMs: 7, meanMs: 57.5, maxMs: 108 })
})

test('of pings that nobody answers only the last sixteen are remembered', () => {
  const { tap, say } = tapped()
  for (let index = 0; index < 17; index++) say('client', ping(`${index}`))
  say('service', pong('0'), 1)
  assert.equal(tap.summary().client.roundTrips, undefined)
  say('service', pong('1'), 1)
  assert.equal(tap.summary().client.roundTrips?.count, 1)
})

test('pings are told apart byte by byte, also where they are no text', () => {
  const { tap, say } = tapped()
  say('client', { opcode: PING, payload: Buffer.from([0xfe]) })
  say('service', { opcode: PONG, payload: Buffer.from([0xff]) })
  assert.equal(tap.summary().client.roundTrips, undefined)
  say('service', { opcode: PONG, payload: Buffer.from([0xfe]) })
  assert.equal(tap.summary().client.roundTrips?.count, 1)
})

test('what one side breaks leaves the other side read', () => {
  const { tap, say } = tapped()
  say('client', { opcode: TEXT })
  say('client', { opcode: 3 })
  say('client', { opcode: TEXT })
  say('service', { opcode: TEXT })
  const { client, service } = tap.summary()
  assert.deepEqual([client.broken, client.messages], ['a reserved opcode', 1])
  assert.deepEqual([service.broken, service.messages], [undefined, 1])
})
