import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { LentWriter } from '../../src/net/writing.ts'
import { Lender } from '../support/lender.ts'

/** An output whose writes complete, or fail, when the test says so. */
function slowOutput() {
  const pending: ((error?: Error) => void)[] = []
  const output = new Writable({ write: (_chunk, _encoding, done) => pending.push(done) })
  output.on('error', () => {})
  return { output, complete: (error?: Error) => pending.shift()?.(error) }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a lent buffer is given back when the output has taken it, not before, each in its turn', async () => {
  const lender = new Lender()
  const { output, complete } = slowOutput()
  const writer = new LentWriter(output)
  for (let index = 0; index < 2; index++) {
    writer.write(lender.copy(Buffer.alloc(100_000)))
    lender.leave()
    writer.write(Buffer.from('of nobody'))
  }
  await turn()
  assert.equal(lender.recycled, 0)
  complete()
  await turn()
  assert.equal(lender.recycled, 1)
  complete()
  await turn()
  assert.equal(lender.recycled, 1)
  complete()
  await turn()
  assert.equal(lender.recycled, 2)
})

test('a buffer whose write failed is forgotten, and so are those behind it', async () => {
  const lender = new Lender()
  const { output, complete } = slowOutput()
  const writer = new LentWriter(output)
  for (let index = 0; index < 2; index++) {
    writer.write(lender.copy(Buffer.alloc(100)))
    lender.leave()
  }
  complete(new Error('EPIPE'))
  await turn()
  assert.equal(lender.recycled, 0)
})

test('it tells when the output is full, whatever it writes', () => {
  const { output } = slowOutput()
  const writer = new LentWriter(output)
  assert.equal(writer.write(Buffer.alloc(10)), true)
  assert.equal(writer.write(new Lender().copy(Buffer.alloc(100_000))), false)
})
