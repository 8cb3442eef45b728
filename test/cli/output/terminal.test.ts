import assert from 'node:assert/strict'
import { test } from 'node:test'
import { terminalOf } from '../../../src/cli/output/terminal.ts'
import { FakeStream, Screen } from './screen.ts'

const tty = () => new FakeStream(new Screen(100, 30))
const on = (env: NodeJS.ProcessEnv, stderr = tty()) => {
  const { colour, live } = terminalOf({ stderr, env })
  return { colour, live }
}

test('a terminal is live and has colours, a pipe has neither', () => {
  assert.deepEqual(on({ TERM: 'xterm-256color' }), { colour: true, live: true })
  assert.deepEqual(on({ TERM: 'xterm-256color' }, new FakeStream()), { colour: false, live: false })
})

test('NO_COLOR takes the colours and leaves the block, unless it is empty', () => {
  assert.deepEqual(on({ NO_COLOR: '1' }), { colour: false, live: true })
  assert.deepEqual(on({ NO_COLOR: '' }), { colour: true, live: true })
})

test('FORCE_COLOR wins over everything, but draws nothing in place', () => {
  assert.deepEqual(on({ FORCE_COLOR: '1', NO_COLOR: '1' }, new FakeStream()), { colour: true, live: false })
  assert.deepEqual(on({ FORCE_COLOR: '' }, new FakeStream()), { colour: true, live: false })
  assert.deepEqual(on({ FORCE_COLOR: '0' }), { colour: false, live: true })
  assert.deepEqual(on({ FORCE_COLOR: 'false' }), { colour: false, live: true })
})

test('a dumb terminal and a CI run are like a pipe', () => {
  assert.deepEqual(on({ TERM: 'dumb' }), { colour: false, live: false })
  assert.deepEqual(on({ CI: 'true' }), { colour: false, live: false })
  assert.deepEqual(on({ CI: 'false' }), { colour: true, live: true })
})

test('paint follows the decision, whatever chalk would have found out', () => {
  assert.equal(terminalOf({ stderr: tty(), env: {} }).paint.red('x'), '\u001b[31mx\u001b[39m')
  assert.equal(terminalOf({ stderr: tty(), env: { NO_COLOR: '1' } }).paint.red('x'), 'x')
})

test('the size is the one of now, and 80 by 24 when nobody knows', () => {
  const stderr = tty()
  const terminal = terminalOf({ stderr, env: {} })
  assert.deepEqual([terminal.columns(), terminal.rows()], [100, 30])
  stderr.screen?.resize(60, 20)
  assert.deepEqual([terminal.columns(), terminal.rows()], [60, 20])
  const unknown = terminalOf({ stderr: Object.assign(new FakeStream(), { getWindowSize: () => [0, 0] }), env: {} })
  assert.deepEqual([unknown.columns(), unknown.rows()], [80, 24])
  const gone = Object.assign(tty(), {
    getWindowSize() {
      throw new Error('EBADF')
    },
  })
  assert.deepEqual(terminalOf({ stderr: gone, env: {} }).columns(), 100)
})
