import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { warn } from '../../src/cli/warning.ts'

function sink(): { stderr: Writable; lines: string[] } {
  const lines: string[] = []
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  return { stderr, lines }
}

test('a warning is one line, said once to each who reads', () => {
  const [one, other] = [sink(), sink()]
  for (const io of [one, one, other]) warn(io, 'the file a\nb')
  warn(one, 'another')
  assert.deepEqual(one.lines, ['warning: the file a\\x0ab\n', 'warning: another\n'])
  assert.deepEqual(other.lines, ['warning: the file a\\x0ab\n'])
})
