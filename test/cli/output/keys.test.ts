import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { Keys } from '../../../src/cli/output/keys.ts'

class FakeInput extends EventEmitter {
  raw = false
  flowing = false

  setRawMode(raw: boolean): void {
    this.raw = raw
  }

  resume(): this {
    this.flowing = true
    return this
  }

  pause(): this {
    this.flowing = false
    return this
  }
}

function setup(inForeground = true) {
  const input = new FakeInput()
  const pressed: string[] = []
  const raised: string[] = []
  const keys = new Keys({
    input,
    pressed: key => pressed.push(key),
    raise: signal => raised.push(signal),
    inForeground: () => inForeground,
  })
  return { input, pressed, raised, keys }
}

test('keys are heard one by one while it listens, and the terminal is as before when it does not', () => {
  const { input, pressed, keys } = setup()
  keys.start()
  assert.deepEqual([keys.on, input.raw, input.flowing], [true, true, true])
  input.emit('data', Buffer.from('qd'))
  keys.stop()
  assert.deepEqual([keys.on, input.raw, input.flowing, input.listenerCount('data')], [false, false, false, 0])
  input.emit('data', Buffer.from('r'))
  assert.deepEqual(pressed, ['q', 'd'])
})

test('what the terminal would have made a signal of still is one', () => {
  const { input, pressed, raised, keys } = setup()
  keys.start()
  for (const key of ['\x03', '\x1a', '\x1c']) input.emit('data', Buffer.from(key))
  assert.deepEqual([raised, pressed], [['SIGINT', 'SIGTSTP', 'SIGQUIT'], []])
})

test('an arrow or a function key is none of the letters in its sequence', () => {
  const { input, pressed, keys } = setup()
  keys.start()
  for (const sequence of ['\x1b[A', '\x1bOq', '\x1b[15~']) input.emit('data', Buffer.from(sequence))
  assert.deepEqual(pressed, [])
})

test('in the background the terminal is left alone', () => {
  const { input, keys } = setup(false)
  keys.start()
  assert.deepEqual([keys.on, input.raw, input.listenerCount('data')], [false, false, 0])
  keys.stop()
})
