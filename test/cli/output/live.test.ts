import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOutput } from '../../../src/cli/output/sink.ts'
import type { ConnectEvent, ConnectSnapshot } from '../../../src/connect/events.ts'
import { FakeStream, ManualClock, Screen } from './screen.ts'
import { forward, snapshotOf } from './snapshot.ts'

const connected: ConnectEvent = {
  event: 'connected',
  gateway: 'wss://gw.example.com',
  agent: 'prod',
  pingMs: 23,
  gatewaySoftware: 'tunnelctl/0.0.1',
}
const refused: ConnectEvent = { event: 'error', code: 'REFUSED', message: 'connection refused', hint: 'check it' }

interface Setup {
  readonly columns?: number
  readonly rows?: number
  /** Default: stdout is the same terminal. */
  readonly stdout?: 'terminal' | 'pipe'
  readonly env?: NodeJS.ProcessEnv
}

function setup({ columns = 80, rows = 24, stdout = 'terminal', env = { NO_COLOR: '1' } }: Setup = {}) {
  const screen = new Screen(columns, rows)
  const stderr = new FakeStream(screen)
  const out = new FakeStream(stdout === 'terminal' ? screen : undefined)
  const clock = new ManualClock()
  const state = { snapshot: snapshotOf() as ConnectSnapshot | undefined, looks: 0 }
  const output = createOutput({
    io: { stdout: out, stderr, env },
    output: 'text',
    talk: 'normal',
    clock,
    snapshot: () => {
      state.looks++
      return state.snapshot
    },
  })
  return { screen, stderr, stdout: out, clock, state, output }
}

const block = [
  '',
  '● connected 23 ms  wss://gw.example.com → prod  up 12 min',
  '127.0.0.1:5432 → db/prod:5432   0 open  ↑     0 B     0 B/s  ↓     0 B     0 B/s',
  'ping 23 ms  p50 22  p99 41  gateway 11 ms · agent 12 ms  ▁▁▂▇▁',
]

/** Until ora is there: it is imported once, after that its import takes a few turns. */
async function oraLoaded(): Promise<void> {
  await import('ora')
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}

test('a spinner turns while the first connection is made, and leaves no trace', async t => {
  // ora takes its frames from the wall clock.
  t.mock.timers.enable({ apis: ['Date'] })
  const { screen, clock, output } = setup()
  output.connecting('wss://gw.example.com')
  clock.advance(200)
  await oraLoaded()
  assert.match(screen.text, /^\S connecting to wss:\/\/gw\.example\.com$/)
  const first = screen.text
  t.mock.timers.tick(80)
  clock.advance(80)
  assert.notEqual(screen.text, first)
  assert.equal(screen.cursorShown, false)
  output.event(connected)
  assert.deepEqual(screen.lines, [...block])
  output.close()
})

test('at a terminal that does not know its size the spinner has one row, and does not erase without end', async () => {
  const { screen, stderr, clock, output } = setup()
  Object.defineProperties(stderr, { columns: { value: 0 }, rows: { value: 0 } })
  const write = stderr.write.bind(stderr)
  let writes = 0
  stderr.write = (text: string) => {
    if (++writes > 100) throw new Error('100 writes, and no end')
    return write(text)
  }
  output.connecting('wss://gw.example.com')
  clock.advance(200)
  await oraLoaded()
  clock.advance(80)
  assert.match(screen.text, /^\S connecting to wss:\/\/gw\.example\.com$/)
  output.event(connected)
  assert.deepEqual(screen.lines, [...block])
  output.close()
})

test('a quick connection shows no spinner, even when ora arrives late', async () => {
  for (const ms of [50, 200]) {
    const { screen, clock, output } = setup()
    output.connecting('wss://gw.example.com')
    clock.advance(ms)
    output.event(connected)
    clock.advance(200)
    await oraLoaded()
    assert.deepEqual(screen.lines, [...block])
    output.close()
    assert.equal(clock.waiting, 0)
  }
})

test('the spinner says why there is no connection yet, and lines go by above it', async () => {
  const { screen, clock, state, output } = setup({ columns: 60 })
  state.snapshot = undefined
  output.connecting('wss://gw.example.com')
  clock.advance(200)
  await oraLoaded()
  const reason = 'getaddrinfo ENOTFOUND gw.example.com'
  state.snapshot = snapshotOf({ state: { name: 'offline', forMs: 1, nextTryMs: 1200, reason } })
  clock.advance(80)
  output.event({ event: 'forwarding', local: '127.0.0.1:5432', target: 'db/prod:5432' })
  assert.equal(screen.lines[0], 'Forwarding from 127.0.0.1:5432 -> db/prod:5432')
  assert.match(screen.lines[1] ?? '', /^\S connecting to wss:\/\/gw\.example\.com: getaddrinfo ENOTFOUND$/)
  assert.equal(screen.lines.length, 2)
  output.close()
})

test('a first connection that fails leaves an empty line to write on, and the cursor', async () => {
  const { screen, clock, output } = setup()
  output.connecting('wss://gw.example.com')
  clock.advance(200)
  await oraLoaded()
  output.close()
  assert.deepEqual([screen.text, screen.cursor, screen.cursorShown], ['', { x: 0, y: 0 }, true])
  assert.equal(clock.waiting, 0)
})

test('forwarding lines and failures go by above the block, which stays whole', () => {
  const { screen, clock, output } = setup()
  output.event(connected)
  output.event({ event: 'forwarding', local: '127.0.0.1:5432', target: 'db/prod:5432' })
  output.event(refused)
  const lines = ['Forwarding from 127.0.0.1:5432 -> db/prod:5432', 'tunnelctl: REFUSED connection refused (check it)']
  assert.deepEqual(screen.lines, [...lines, ...block])
  clock.advance(1000)
  output.note('stopping: 3 connections are open')
  assert.deepEqual(screen.lines, [...lines, 'stopping: 3 connections are open', ...block])
  output.close()
})

test('when the session is lost, and when it is back, the block says so together with the line above it', () => {
  const { screen, clock, state, output } = setup()
  output.event(connected)
  state.snapshot = snapshotOf({ state: { name: 'resuming', forMs: 4_000, streamsHeld: 3 } })
  output.event({ event: 'disconnected', reason: 'no answer for 4 s' })
  assert.match(screen.text, /^disconnected: no answer for 4 s\n\n● resuming 4 s, 3 streams held/)
  state.snapshot = snapshotOf({ resumes: 1 })
  output.event({ event: 'resumed', gapMs: 5_000 })
  assert.match(screen.text, /\nresumed after 5\.0 s\n\n● connected 23 ms .* 1 resume\n/)
  output.close()
  assert.equal(clock.waiting, 0)
})

test('stdout that is a pipe gets the forwarding lines and no sequence', () => {
  const { screen, stdout, output } = setup({ stdout: 'pipe', env: {} })
  output.event(connected)
  output.event({ event: 'forwarding', local: '127.0.0.1:5432', target: 'db/prod:5432' })
  output.event(refused)
  output.close('interrupted')
  assert.equal(stdout.text, 'Forwarding from 127.0.0.1:5432 -> db/prod:5432\n')
  assert.doesNotMatch(screen.text, /Forwarding/)
})

test('it looks at most four times a second, and draws in one write only what has changed', () => {
  const { stderr, clock, state, output } = setup()
  output.event(connected)
  const { length } = stderr.written
  clock.advance(10_000)
  assert.ok(state.looks <= 41, `${state.looks} looks`)
  assert.equal(stderr.written.length, length)
  state.snapshot = snapshotOf({ uptimeMs: 13 * 60_000 })
  clock.advance(250)
  assert.equal(stderr.written.length, length + 1)
  assert.match(stderr.screen?.text ?? '', /up 13 min/)
  output.close()
})

test('a burst of failures does not look once more', () => {
  const { clock, state, screen, output } = setup()
  output.event(connected)
  const { looks } = state
  for (let count = 0; count < 100; count++) output.event(refused)
  assert.equal(state.looks, looks)
  assert.deepEqual(screen.lines.slice(-4), [...block])
  assert.equal(screen.lines.length, 104)
  clock.advance(250)
  output.close()
})

test('rates come from the differences between draws', () => {
  const { screen, clock, state, output } = setup()
  output.event(connected)
  for (let step = 1; step <= 8; step++) {
    state.snapshot = snapshotOf({
      forwards: [forward(0, { streamsOpen: 1, bytesUp: step * 3000, bytesDown: step * 275_000 })],
    })
    clock.advance(250)
  }
  assert.equal(screen.lines[2], '127.0.0.1:5432 → db/prod:5432   1 open  ↑ 24.0 kB 12.0 kB/s  ↓ 2.20 MB 1.10 MB/s')
  output.close()
})

test('a narrower and a wider terminal leave no stale row', () => {
  const { screen, stderr, output } = setup({ columns: 100 })
  output.event(connected)
  output.event({ event: 'disconnected', reason: 'a reason that is much longer than forty columns can hold in a row' })
  stderr.resize(40)
  assert.deepEqual(screen.lines, [
    'disconnected: a reason that is much long',
    'er than forty columns can hold in a row',
    '',
    '● connected 23 ms  wss://gw.example.com…',
    ':5432 → db/prod:5432   0 open',
    'ping 23 ms  p50 22  p99 41  ▁▁▂▇▁',
  ])
  stderr.resize(100)
  assert.deepEqual(screen.lines.slice(1), [...block])
  output.close()
})

test('a terminal too low for the block, and then as high as before, shows it once', () => {
  const { screen, stderr, state, output } = setup({ columns: 100, rows: 12 })
  state.snapshot = snapshotOf({ forwards: Array.from({ length: 6 }, (_, index) => forward(index)) })
  output.event(connected)
  output.event({ event: 'forwarding', local: '127.0.0.1:5432', target: 'db/prod:5432' })
  output.event({ event: 'forwarding', local: '127.0.0.1:5433', target: 'db/prod:5432' })
  const before = screen.lines
  for (const rows of [7, 5, 8, 12]) stderr.resize(100, rows)
  assert.deepEqual(screen.lines, before)
  // A line that goes by meanwhile is kept, whatever else is.
  stderr.resize(100, 5)
  output.event(refused)
  stderr.resize(100, 12)
  assert.equal(screen.lines.filter(line => line.startsWith('Forwarding')).length, 2)
  assert.equal(screen.lines.filter(line => line.includes('REFUSED')).length, 1)
  output.close()
})

test('a terminal that resizes before the process hears of it gets no garbled rows', () => {
  const { screen, stderr, output } = setup({ columns: 100 })
  output.event(connected)
  screen.resize(50)
  output.event(refused)
  stderr.emit('resize')
  const [first, blank, header] = screen.lines
  assert.deepEqual([first, blank], ['tunnelctl: REFUSED connection refused (check it)', ''])
  assert.match(header ?? '', /^● connected/)
  assert.equal(screen.lines.length, 5)
  output.close()
})

test('whatever happens, the screen shows the lines that went by and then the block, once', () => {
  const step = fc.oneof(
    fc.record({ columns: fc.integer({ min: 10, max: 130 }), rows: fc.integer({ min: 10, max: 200 }) }),
    fc.record({ forwards: fc.integer({ min: 0, max: 6 }) }),
    fc.record({ note: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 150 }) }),
    fc.record({ local: fc.integer({ min: 1, max: 65_535 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const { screen, stderr, clock, state, output } = setup({ rows: 200 })
      const printed: string[] = []
      output.event(connected)
      for (const step of steps) {
        if ('columns' in step) stderr.resize(step.columns, step.rows)
        else if ('note' in step) {
          printed.push(step.note)
          output.note(step.note)
        } else if ('local' in step) {
          printed.push(`Forwarding from 127.0.0.1:${step.local} -> db/prod:5432`)
          output.event({ event: 'forwarding', local: `127.0.0.1:${step.local}`, target: 'db/prod:5432' })
        } else {
          state.snapshot = snapshotOf({ forwards: Array.from({ length: step.forwards }, (_, index) => forward(index)) })
        }
        clock.advance(250)
        const blockHeight = 3 + (state.snapshot?.forwards.length ?? 0)
        const lines = screen.lines
        assert.equal(lines.filter(line => line.startsWith('● ')).length, 1)
        const above = lines.slice(0, -blockHeight).join('')
        const expected = printed.join('')
        assert.equal(above.replaceAll(' ', ''), expected.replaceAll(' ', ''))
      }
      output.close()
      assert.equal(screen.lines.filter(line => line.startsWith('● ')).length, 0)
      assert.equal(screen.lines.filter(line => line.startsWith('○ ')).length, 1)
    }),
    { numRuns: 60 },
  )
})

test('a low terminal keeps the busiest forwards and never scrolls the block', () => {
  const { screen, clock, state, output } = setup({ rows: 6 })
  const forwards = Array.from({ length: 9 }, (_, index) => forward(index))
  state.snapshot = snapshotOf({ forwards })
  output.event(connected)
  for (let step = 1; step <= 8; step++) {
    state.snapshot = snapshotOf({
      uptimeMs: step * 60_000,
      forwards: forwards.with(7, forward(7, { bytesUp: step * 1000 })),
    })
    clock.advance(250)
  }
  assert.equal(screen.lines.length, 5)
  assert.match(screen.lines[2] ?? '', /^127\.0\.0\.1:5439 .* 4\.00 kB\/s/)
  assert.equal(screen.lines[3], '… and 7 more')
  output.close()
})

test('the cursor is hidden while the block lives, and given back with the totals left on the screen', () => {
  const { screen, stderr, clock, output } = setup()
  output.event(connected)
  assert.equal(screen.cursorShown, false)
  output.close('interrupted')
  output.close('twice')
  assert.equal(screen.cursorShown, true)
  assert.deepEqual(screen.lines, [
    '',
    '○ closed  wss://gw.example.com → prod  up 12 min',
    '127.0.0.1:5432 → db/prod:5432   0 connections  ↑     0 B  ↓     0 B',
    'ping p50 22 ms  p99 41 ms',
    'interrupted',
    '',
  ])
  assert.equal(clock.waiting, 0)
  assert.deepEqual([stderr.listenerCount('resize'), stderr.listenerCount('error')], [0, 0])
})

test('what comes after the end is written plainly', () => {
  const { screen, stderr, output } = setup()
  output.event(connected)
  output.close()
  const { length } = screen.lines
  output.event(refused)
  output.event(connected)
  assert.deepEqual(screen.lines.slice(length - 1), ['tunnelctl: REFUSED connection refused (check it)', ''])
  assert.equal(stderr.written.at(-1), 'tunnelctl: REFUSED connection refused (check it)\n')
})

test('keys that were pressed meanwhile do not get into the block', () => {
  const { screen, clock, state, output } = setup()
  output.event(connected)
  screen.write('abc\nq')
  state.snapshot = snapshotOf({ uptimeMs: 13 * 60_000 })
  clock.advance(250)
  assert.deepEqual(screen.lines, ['abc', ...block.map(line => line.replace('12 min', '13 min'))])
  output.close()
})

test('names and reasons from the wire cannot act on the terminal', () => {
  const { screen, clock, state, output } = setup()
  const evil = '\u001b]0;owned\u0007\u001b[2J\u202e接続'
  state.snapshot = snapshotOf({
    gateway: evil,
    agent: evil,
    state: { name: 'offline', forMs: 1, nextTryMs: 1, reason: evil },
    forwards: [forward(0, { target: evil, local: evil })],
  })
  // The screen throws on any sequence that the block has no business to write.
  output.event({ ...connected, agent: evil })
  output.event({ ...refused, message: evil, hint: evil, target: evil })
  output.event({ event: 'disconnected', reason: evil })
  output.note(evil)
  clock.advance(250)
  output.close(evil)
  assert.match(screen.text, /\\x1b\]0;owned\\x07/)
})

test('a terminal that goes away stops the drawing and nothing else', () => {
  const { stderr, clock, output } = setup()
  output.event(connected)
  stderr.emit('error', Object.assign(new Error('write EIO'), { code: 'EIO' }))
  const { length } = stderr.written
  clock.advance(5000)
  assert.equal(stderr.written.length, length)
  output.close()
})

test('neither the block nor the spinner keeps the process alive', () => {
  const script = `
    import { createOutput } from './src/cli/output/sink.ts'
    import { FakeStream, Screen } from './test/cli/output/screen.ts'
    import { snapshotOf } from './test/cli/output/snapshot.ts'
    const io = () => ({ stdout: new FakeStream(), stderr: new FakeStream(new Screen()), env: {} })
    const open = () => createOutput({ io: io(), output: 'text', talk: 'normal', snapshot: snapshotOf })
    open().connecting('wss://gw.example.com')
    const live = open()
    live.connecting('wss://gw.example.com')
    live.event({ event: 'connected', gateway: '', agent: '', pingMs: 1, gatewaySoftware: '' })
    process.on('exit', () => console.log('ended'))`
  const { stdout, stderr, signal } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { cwd: new URL('../../../', import.meta.url), encoding: 'utf8', timeout: 20_000 },
  )
  assert.deepEqual([signal, stdout, stderr], [null, 'ended\n', ''])
})
