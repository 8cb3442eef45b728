import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { TunnelError } from '../../src/errors.ts'
import { isSecretKey } from '../../src/observe/fields.ts'
import { type LogLevel, nullLog } from '../../src/observe/log.ts'
import { createLogger, type LogFormat } from '../../src/observe/logger.ts'

function capture(level: LogLevel = 'info', format: LogFormat = 'json') {
  const lines: string[] = []
  const log = createLogger({ format, level, write: line => lines.push(line) })
  const parsed = () => lines.map(line => JSON.parse(line) as Record<string, unknown>)
  return { log, lines, parsed, only: () => parsed()[0] ?? assert.fail('no line was written') }
}

test('a line is one JSON object with level, time, event and the fields', () => {
  const { log, lines, only } = capture()
  log.info('registered', { agent: 'prod', streams: 3, tls: true })
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^\{.*\}\n$/)
  const { time, ...rest } = only()
  assert.deepEqual(rest, { level: 'info', event: 'registered', agent: 'prod', streams: 3, tls: true })
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('each level writes itself and what is above, as a word', () => {
  const expected = { debug: 4, info: 3, warn: 2, error: 1, off: 0 }
  for (const [level, count] of Object.entries(expected)) {
    const { log, parsed } = capture(level as LogLevel)
    log.debug('a')
    log.info('b')
    log.warn('c')
    log.error('d')
    const words = ['debug', 'info', 'warn', 'error'].slice(4 - count)
    assert.deepEqual(
      parsed().map(line => line.level),
      words,
    )
  }
})

test('a level that is off does not look at its fields', () => {
  const { log, lines } = capture('warn')
  const fields = {
    get costly(): string {
      throw new Error('looked at')
    },
  }
  log.debug('a', fields)
  log.info('b', fields)
  log.child({ role: 'agent' }).info('c', fields)
  nullLog.error('d', fields)
  nullLog.child(fields).error('e', fields)
  assert.deepEqual(lines, [])
})

test('a child carries its fields on every line, and its own children add to them', () => {
  const { log, parsed } = capture()
  log.child({ session: 'a1' }).child({ stream: 7 }).warn('reset', { code: 'REFUSED' })
  log.info('alone')
  const [first, second] = parsed().map(({ time: _, ...rest }) => rest)
  assert.deepEqual(first, { level: 'warn', event: 'reset', session: 'a1', stream: 7, code: 'REFUSED' })
  assert.deepEqual(second, { level: 'info', event: 'alone' })
})

test('secrets are replaced at every depth, whatever their type', () => {
  const { log, lines } = capture()
  log.info('headers', {
    token: 'hunter2',
    headers: { Authorization: 'Bearer hunter2', list: [{ sessionKey: Buffer.from('hunter2') }] },
    proof: { hex: 'hunter2' },
    deep: { deep: { deep: { deep: { password: 'hunter2' } } } },
  })
  const line = lines[0] ?? ''
  assert.ok(!line.includes('hunter2'), line)
  assert.equal(line.split('[redacted]').length - 1, 4, line)
})

test('a secret key is known by its words, and what only describes a secret is shown', () => {
  for (const key of [
    'token',
    'accessToken',
    'Proxy-Authorization',
    'key',
    'api_key',
    'apikey',
    'privateKey',
    'proof',
  ]) {
    assert.ok(isSecretKey(key), key)
  }
  for (const key of ['secret', 'clientSecret', 'password', 'DB_PASSWORD', 'set-cookie', 'credentials', 'keys']) {
    assert.ok(isSecretKey(key), key)
  }
  for (const key of ['agent', 'tokenFile', 'keyId', 'monkey', 'keyboard', 'waterproof', 'token_path', 'target']) {
    assert.ok(!isSecretKey(key), key)
  }
})

test('a web token is replaced inside any string', () => {
  const { log, lines } = capture()
  const token = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl'
  log.error('failed', { url: `wss://gw/?t=${token}`, error: new Error(`bad token ${token}!`) })
  assert.ok(!lines[0]?.includes('eyJ'), lines[0])
  assert.match(lines[0] ?? '', /bad token \[redacted\]!/)
})

test('an error is its code, message and hint, without a stack', () => {
  const { log, only } = capture()
  log.warn('dial failed', { error: new TunnelError('REFUSED', 'db/prod:5432 refused the connection') })
  assert.deepEqual(only().error, {
    code: 'REFUSED',
    message: 'db/prod:5432 refused the connection',
    hint: new TunnelError('REFUSED', '').hint,
  })
})

test('an error of Node keeps its code, and anything thrown is shown', () => {
  const { log, parsed } = capture()
  log.warn('a', { error: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }) })
  log.warn('b', { error: 'just text' })
  assert.deepEqual(
    parsed().map(line => line.error),
    [{ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }, { message: 'just text' }],
  )
})

test('at debug an error has its stack and cause, and a message cannot forge a frame', () => {
  const { log, only } = capture('debug')
  const cause = new Error('socket hang up')
  log.error('crashed', { error: new Error('boom\n    at forged (evil.js:1:1)', { cause }) })
  const error = only().error as { message: string; stack: string[]; cause: unknown }
  assert.equal(error.message, 'boom\\x0a    at forged (evil.js:1:1)')
  assert.deepEqual(error.cause, { message: 'socket hang up' })
  assert.ok(error.stack.length > 0)
  for (const frame of error.stack) assert.match(frame, /^at (?!forged)/)
})

test('whatever the fields hold, a line is one line of plain characters', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.anything()), fields => {
      for (const format of ['json', 'pretty'] as const) {
        const { log, lines } = capture('info', format)
        log.info('event', fields)
        assert.equal(lines.length, 1)
        assert.match(lines[0] ?? '', /^[^\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]*\n$/u)
        if (format === 'json') assert.equal((JSON.parse(lines[0] ?? '') as { event: string }).event, 'event')
      }
    }),
  )
})

test('a field can not replace the event, the level or the time', () => {
  const { log, lines, only } = capture()
  log.info('registered', { event: 'forged', level: 'error', time: 'never' })
  assert.equal(lines[0]?.match(/"(event|level|time)":/g)?.length, 3)
  assert.equal(only().event, 'registered')
  assert.equal(only().level, 'info')
  assert.equal(only().level_, 'error')
})

test('cyclic and huge fields are bounded', () => {
  const { log, lines } = capture()
  const cyclic: Record<string, unknown> = { name: 'loop' }
  cyclic.self = cyclic
  log.info('big', { cyclic, list: Array.from({ length: 100_000 }, (_, i) => i), text: 'x'.repeat(1_000_000) })
  assert.ok((lines[0]?.length ?? 0) < 4096)
})

test('pretty writes one short line for people', () => {
  const { log, lines } = capture('info', 'pretty')
  log.info('registered', { agent: 'prod', gateway: 'wss://gw.example.com', note: 'two words' })
  log.error('dial failed', { error: new TunnelError('DNS', 'no such name', { hint: 'check it' }) })
  assert.match(
    lines[0] ?? '',
    /^\d\d:\d\d:\d\d info {2}registered {2}agent=prod gateway=wss:\/\/gw\.example\.com note="two words"\n$/,
  )
  assert.match(lines[1] ?? '', /^\d\d:\d\d:\d\d error dial failed {2}error=DNS "no such name" \(check it\)\n$/)
})

test('pretty at debug puts the stack below, indented', () => {
  const { log, lines } = capture('debug', 'pretty')
  log.error('crashed', { error: new Error('boom') })
  assert.match(lines[0] ?? '', /^[\d:]{8} error crashed {2}error="boom"\n( {4}at .+\n)+$/)
})

test('without a writer the lines are on stderr at once, even when the process is killed', () => {
  const script = `
    import fs from 'node:fs'
    import { createLogger } from './src/observe/logger.ts'
    fs.write = () => {} // What is written later is written never.
    createLogger({ format: 'json', level: 'info' }).info('last words')
    process.kill(process.pid, 'SIGKILL')`
  const { signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { cwd: new URL('../../', import.meta.url), encoding: 'utf8', timeout: 20_000 },
  )
  assert.deepEqual([signal, stdout], ['SIGKILL', ''], stderr)
  assert.equal((JSON.parse(stderr) as { event: string }).event, 'last words')
})
