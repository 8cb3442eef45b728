import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { KEY_BYTES, proofHolds, resumeProof } from '../../src/mux/proof.ts'
import { fromHex, Page } from '../wire/document.ts'

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(array => Buffer.from(array))
const key = bytes(KEY_BYTES)
const sessionId = bytes(16)
const epoch = fc.integer({ min: 0, max: 2 ** 32 - 1 })

const textOf = (proof: Buffer): string => proof.toString('base64url')

test('the worked proof of docs/protocol.md is what the program makes and takes', () => {
  const fields = Object.fromEntries(
    new Page('protocol.md').block('hmac').map(([name = '', value = '']) => [name, value]),
  )
  const example = {
    key: fromHex(fields.key ?? ''),
    sessionId: fromHex(fields['session id'] ?? ''),
    epoch: Number(fields.epoch),
  }
  const proof = resumeProof(example.key, example.sessionId, example.epoch)
  assert.equal(proof.toString('hex'), fields.proof)
  assert.equal(textOf(proof), fields.base64url)
  assert.ok(proofHolds(example.key, example.sessionId, example.epoch, fields.base64url))
  const input = fromHex(fields.input ?? '')
  assert.equal(createHmac('sha256', example.key).update(input).digest('hex'), fields.proof)
  assert.deepEqual(
    input,
    Buffer.concat([Buffer.from('tunnelctl resume'), example.sessionId, Buffer.from([0, 0, 0, 2])]),
  )
})

test('a proof holds for its own key, session and epoch', () => {
  fc.assert(
    fc.property(key, sessionId, epoch, (ownKey, id, at) => {
      assert.ok(proofHolds(ownKey, id, at, textOf(resumeProof(ownKey, id, at))))
    }),
  )
})

test('a proof holds for no other key, no other session and no other epoch', () => {
  fc.assert(
    fc.property(
      key,
      sessionId,
      epoch,
      fc.nat(KEY_BYTES - 1),
      fc.integer({ min: 0, max: 7 }),
      (own, id, at, byte, bit) => {
        const proof = textOf(resumeProof(own, id, at))
        const flipped = (buffer: Buffer) => {
          const copy = Buffer.from(buffer)
          const index = byte % copy.length
          copy.writeUInt8((copy[index] ?? 0) ^ (1 << bit), index)
          return copy
        }
        assert.equal(proofHolds(flipped(own), id, at, proof), false)
        assert.equal(proofHolds(own, flipped(id), at, proof), false)
        assert.equal(proofHolds(own, id, (at ^ (1 << (byte % 32))) >>> 0, proof), false)
      },
    ),
  )
})

test('whatever else is sent as a proof does not hold, and nothing is thrown', () => {
  const own = Buffer.alloc(KEY_BYTES, 1)
  const id = Buffer.alloc(16, 2)
  const proof = resumeProof(own, id, 1)
  const wrong = [
    undefined,
    null,
    0,
    true,
    {},
    [],
    [textOf(proof)],
    '',
    'x',
    textOf(proof).slice(0, -1),
    textOf(proof.subarray(1)),
    textOf(Buffer.concat([proof, Buffer.alloc(1)])),
    proof.toString('hex'),
  ]
  for (const given of wrong) assert.equal(proofHolds(own, id, 1, given), false, JSON.stringify(given))
  fc.assert(fc.property(fc.anything(), given => assert.equal(proofHolds(own, id, 1, given), false)))
  fc.assert(fc.property(bytes(32), given => assert.equal(proofHolds(own, id, 1, textOf(given)), given.equals(proof))))
})
