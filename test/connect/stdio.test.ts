import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { runStdio } from '../../src/connect/stdio.ts'
import { Pair } from '../support/pair.ts'

test('a pipe ends whose output forgets that it has finished, as a stdout that is a file does', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  const written: string[] = []
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      written.push(String(chunk))
      done()
    },
  })
  output.on('finish', () => Object.defineProperty(output, 'writableFinished', { value: false }))
  const run = runStdio({ stream: near, input: Readable.from([]), output, clock: pair.clock })
  far.resume()
  far.end('bye')
  await pair.clock.advance(1_000)
  await run
  assert.deepEqual(written, ['bye'])
})
