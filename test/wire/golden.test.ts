import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { FrameType, Verdict, walkFrames } from '../../src/wire/frame.ts'
import { Kind, kindOf, setRoute } from '../../src/wire/message.ts'
import { fromHex, Page, vectors } from './document.ts'
import { fromPlain, type PlainMessage, toPlain } from './plain.ts'
import { playSession, type Step } from './walkthrough.ts'

const page = new Page('protocol.md')
const key = fromHex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')
const sessionId = fromHex('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf')

test('each vector of the page decodes to its value', () => {
  for (const { name, bytes, value } of vectors()) assert.deepEqual(toPlain(bytes), value, name)
})

test('each value of the page encodes to its bytes', () => {
  for (const { name, bytes, value } of vectors())
    assert.equal(fromPlain(value as PlainMessage).toString('hex'), bytes.toString('hex'), name)
})

test('the page has a vector for every kind of message but the reserved one, and for every type of frame', () => {
  const kinds = new Set<number>()
  const types = new Set<number>()
  for (const { bytes } of vectors()) {
    kinds.add(kindOf(bytes))
    if (kindOf(bytes) === Kind.BATCH) walkFrames(bytes, type => types.add(type))
  }
  const { DGRAM: _reserved, ...spoken } = Kind
  assert.deepEqual([...kinds].sort(), Object.values(spoken).sort())
  assert.deepEqual([...types].sort(), Object.values(FrameType).sort())
})

test('each message that the page calls a violation is PROTOCOL', () => {
  const lines = page.block('violations')
  assert.ok(lines.length > 25)
  for (const [name = '', hex = ''] of lines) {
    const isViolation = (thrown: unknown) => thrown instanceof TunnelError && thrown.code === 'PROTOCOL'
    assert.throws(() => toPlain(fromHex(hex)), isViolation, name)
  }
})

test('the gateway makes the bytes it passes on by writing the route and the verdict in place', () => {
  const session = vectors('vectors session')
  const opens = session.filter(({ value }) => JSON.stringify(value).includes('"type":"OPEN"'))
  const [sent, relayed] = opens
  assert.ok(sent !== undefined && relayed !== undefined)
  assert.deepEqual([sent.name, relayed.name], ['connect > gateway', 'gateway > agent'])
  const message = Buffer.from(sent.bytes)
  setRoute(message, 9)
  walkFrames(message, (type, _stream, start) => {
    if (type === FrameType.OPEN) message[start] = Verdict.ALLOWED
  })
  assert.equal(message.toString('hex'), relayed.bytes.toString('hex'))
})

test('the real ends and the real relay say, message by message, what the page says', async () => {
  const played = (await playSession(key, sessionId)).filter(({ message }) => !isPing(message))
  assert.deepEqual(
    played.map(lineOf),
    vectors('vectors session').map(({ name, value }) => `${name} | ${JSON.stringify(withoutReason(value))}`),
  )
})

const isPing = (message: Buffer): boolean => kindOf(message) === Kind.PING || kindOf(message) === Kind.PONG

const lineOf = ({ from, to, message }: Step): string =>
  `${from} > ${to} | ${JSON.stringify(withoutReason(toPlain(message)))}`

/** The words of a DETACH are the gateway's own affair. */
function withoutReason(value: unknown): unknown {
  const { kind } = value as PlainMessage
  return kind === 'DETACH' ? { ...(value as object), reason: '' } : value
}
