import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { watchSuspend } from '../../../src/cli/output/suspend.ts'

function watched(platform: NodeJS.Platform) {
  const steps: string[] = []
  const emitter = new EventEmitter()
  const subject = Object.assign(emitter, {
    pid: 42,
    platform,
    kill: (pid: number, signal: string) => {
      steps.push(`kill ${pid} ${signal}`)
      return true
    },
  }) as unknown as NodeJS.Process
  const watcher = { leave: () => steps.push('leave'), comeBack: () => steps.push('come back') }
  return { steps, emitter, unwatch: watchSuspend(watcher as never, subject) }
}

test('Ctrl-Z leaves the terminal in order before the process stops, and fg comes back', () => {
  const { steps, emitter } = watched('linux')
  emitter.emit('SIGTSTP')
  emitter.emit('SIGCONT')
  assert.deepEqual(steps, ['leave', 'kill 42 SIGSTOP', 'come back'])
})

test('the end of the process leaves the terminal in order', () => {
  const { steps, emitter } = watched('linux')
  emitter.emit('exit')
  assert.deepEqual(steps, ['leave'])
})

test('nothing is listened to afterwards, nor to signals that Windows does not have', () => {
  const { emitter, unwatch } = watched('linux')
  assert.deepEqual(emitter.eventNames(), ['exit', 'SIGTSTP', 'SIGCONT'])
  unwatch()
  assert.deepEqual(emitter.eventNames(), [])
  const windows = watched('win32')
  assert.deepEqual(windows.emitter.eventNames(), ['exit'])
  windows.unwatch()
  assert.deepEqual(windows.emitter.eventNames(), [])
})
