import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { walkFrames } from '../../src/wire/frame.ts'
import { decodeAttachment, decodeBatchHeader, decodeJson, Kind, kindOf } from '../../src/wire/message.ts'
import { randomOf } from './chance.ts'
import { fieldsOf, framesOf, jsonOf } from './fields.ts'
import { mutateHttp } from './http-mutation.ts'
import { mutateLines, mutateMessage, renumber } from './mutation.ts'
import { loadRecording } from './recording.ts'
import { agentRound, clientRound, gatewayToAgentRound, gatewayToConnectRound, ingressRound } from './rounds.ts'
import { linesOf } from './script.ts'

const recording = loadRecording()
const messages = [...recording.connect, ...recording.agent].flatMap(({ said }) => said.map(({ bytes }) => bytes))
const fill = { host: 'gateway.test', token: 'a.b.c' }

const rounds = {
  'gateway-client': (seed: string) => clientRound(randomOf(seed), recording, fill),
  'gateway-agent': (seed: string) => agentRound(randomOf(seed), recording, fill, fill),
  ingress: (seed: string) => ingressRound(randomOf(seed), recording, 'web.test'),
  agent: (seed: string) => gatewayToAgentRound(randomOf(seed), recording),
  connect: (seed: string) => gatewayToConnectRound(randomOf(seed), recording),
}
for (const [target, round] of Object.entries(rounds)) {
  test(`a round of ${target} is the same for the same seed, and another for another`, () => {
    const all = Array.from({ length: 50 }, (_, index) => JSON.stringify(round(`1 ${index}`)))
    assert.deepEqual(
      Array.from({ length: 50 }, (_, index) => JSON.stringify(round(`1 ${index}`))),
      all,
    )
    assert.equal(new Set(all).size, 50)
  })
}

test('the recording has a message of each kind, and a frame of almost each type', () => {
  const reserved: readonly number[] = [Kind.DGRAM]
  const kinds = Object.values(Kind).filter(kind => !reserved.includes(kind))
  assert.deepEqual([...new Set(messages.map(kindOf))].sort(), kinds.sort())
  const types = new Set(messages.flatMap(message => framesOf(message).map(({ type }) => type)))
  // CREDIT is due only after more bytes than anybody wants to read in a file; changes bring it in.
  assert.deepEqual([...types].sort(), [1, 2, 3, 4, 5])
})

test('fields and JSON are found where the decoders read them', () => {
  for (const message of messages) {
    const read = (name: string) => {
      const { at, bytes } = fieldsOf(message).find(field => field.name === name) ?? { at: 0, bytes: 1 }
      return message.readUIntBE(at, bytes)
    }
    const kind = kindOf(message)
    if (kind === Kind.BATCH) assert.deepEqual({ seq: read('seq'), ack: read('ack') }, decodeBatchHeader(message))
    if (kind === Kind.ATTACH || kind === Kind.ATTACHED) {
      const { epoch, expected, json } = decodeAttachment(message)
      const [{ at, end } = { at: 0, end: 0 }] = jsonOf(message)
      assert.deepEqual([read('epoch'), read('expected')], [epoch, expected])
      assert.deepEqual(JSON.parse(message.toString('utf8', at, end)), json)
    }
    if (kind < Kind.ATTACH)
      assert.deepEqual(JSON.parse(message.toString('utf8', jsonOf(message)[0]?.at)), decodeJson(message))
  }
})

test('a change leaves the message that it is made to as it was, and gives bytes, whatever it is made to', () => {
  for (let seed = 0; seed < 5_000; seed++) {
    const random = randomOf('change', seed)
    const message = random.chance(0.1) ? Buffer.alloc(random.below(20), random.below(256)) : random.pick(messages)
    const before = Buffer.from(message)
    // Changes of changes meet what no recording has.
    let changed = message
    for (let times = random.below(5); times >= 0; times--) changed = mutateMessage(random, changed)
    assert.ok(Buffer.isBuffer(changed))
    assert.deepEqual(message, before)
    assert.equal(typeof mutateHttp(random, changed.toString('latin1')), 'string')
  }
})

test('changes reach past the header: batches that are whole, with frames that no recording has, and such that are not', () => {
  const outcomes = { whole: 0, broken: 0 }
  const batches = messages.filter(message => kindOf(message) === Kind.BATCH)
  for (let seed = 0; seed < 2_000; seed++) {
    const random = randomOf('frames', seed)
    const changed = mutateMessage(random, random.pick(batches))
    try {
      walkFrames(changed, () => {})
      outcomes.whole++
    } catch (thrown) {
      assert.ok(thrown instanceof TunnelError)
      outcomes.broken++
    }
  }
  assert.ok(outcomes.whole > 500 && outcomes.broken > 200, JSON.stringify(outcomes))
})

test('renumbered batches have no gap, on each route by itself', () => {
  const [conversation] = recording.agent
  assert.ok(conversation)
  const lines = linesOf(conversation, 'down')
  for (let seed = 0; seed < 100; seed++) {
    const next = new Map<number, number>()
    for (const { bytes } of renumber(mutateLines(randomOf('order', seed), lines, [], 5))) {
      if (bytes.length < 18 || kindOf(bytes) !== Kind.BATCH) continue
      const [route, seq] = [bytes.readUInt32BE(0), bytes.readUIntBE(6, 6)]
      assert.equal(seq, next.get(route) ?? seq)
      next.set(route, (seq + 1) % 2 ** 48)
    }
  }
})
