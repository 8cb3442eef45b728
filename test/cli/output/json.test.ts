import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLine } from '../../../src/cli/output/json.ts'
import { createOutput } from '../../../src/cli/output/sink.ts'
import type { ConnectEvent } from '../../../src/connect/events.ts'
import { FakeStream, Screen } from './screen.ts'

test('each event is one line with v and event first and its fields in order', () => {
  const expected: [ConnectEvent, string][] = [
    [
      { event: 'connected', pingMs: 23, agent: 'prod', gateway: 'wss://gw.example.com', gatewaySoftware: 'x/1' },
      '{"v":1,"event":"connected","gateway":"wss://gw.example.com","agent":"prod","pingMs":23}',
    ],
    [
      { event: 'forwarding', target: 'db/prod:5432', local: '127.0.0.1:5432' },
      '{"v":1,"event":"forwarding","local":"127.0.0.1:5432","target":"db/prod:5432"}',
    ],
    [{ event: 'open', target: 'db/prod:5432', stream: 1 }, '{"v":1,"event":"open","stream":1,"target":"db/prod:5432"}'],
    [
      { event: 'close', code: 'OK', ms: 12, stream: 1, target: 'db/prod:5432', bytesDown: 3, bytesUp: 2 },
      '{"v":1,"event":"close","stream":1,"target":"db/prod:5432","bytesUp":2,"bytesDown":3,"ms":12,"code":"OK"}',
    ],
    [
      { event: 'stats', bytesUp: 1, bytesDown: 2, streamsOpen: 3, streamsTotal: 4, pingMs: null },
      '{"v":1,"event":"stats","bytesUp":1,"bytesDown":2,"streamsOpen":3,"streamsTotal":4,"pingMs":null}',
    ],
    [{ event: 'disconnected', reason: 'gone' }, '{"v":1,"event":"disconnected","reason":"gone"}'],
    [{ event: 'resumed', gapMs: 3200 }, '{"v":1,"event":"resumed","gapMs":3200}'],
    [
      { event: 'error', code: 'DNS', message: 'no such name', hint: 'check it' },
      '{"v":1,"event":"error","code":"DNS","message":"no such name","hint":"check it"}',
    ],
    [
      { event: 'error', code: 'DNS', target: 'db/prod:1', stream: 7, message: 'm', hint: 'h' },
      '{"v":1,"event":"error","code":"DNS","message":"m","hint":"h","stream":7,"target":"db/prod:1"}',
    ],
  ]
  for (const [event, line] of expected) assert.equal(jsonLine(event), `${line}\n`)
})

test('text from the wire cannot act on a terminal, even when a field is printed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), message => {
      const line = jsonLine({ event: 'error', code: 'REFUSED', message, hint: '' })
      const parsed = JSON.parse(line) as { message: string }
      assert.match(parsed.message, /^[^\p{Cc}\p{Cf}\p{Cs}]*$/u)
      assert.equal(line.indexOf('\n'), line.length - 1)
    }),
  )
})

test('everything goes to stdout and stderr stays empty, on a terminal and with quiet too', () => {
  for (const talk of ['normal', 'quiet', 'verbose'] as const) {
    const stdout = new FakeStream(new Screen())
    const stderr = new FakeStream(new Screen())
    const output = createOutput({ io: { stdout, stderr, env: {} }, output: 'json', talk, snapshot: () => undefined })
    output.connecting('wss://gw.example.com')
    output.event({ event: 'error', code: 'REFUSED', message: 'm', hint: 'h' })
    output.note('stopping')
    output.close('done')
    assert.equal(stdout.text, '{"v":1,"event":"error","code":"REFUSED","message":"m","hint":"h"}\n')
    assert.equal(stderr.text, '')
  }
})

test('a reader that has stopped loses events, and memory stays bounded', () => {
  const stdout = new FakeStream()
  stdout._write = () => {}
  const io = { stdout, stderr: new FakeStream(), env: {} }
  const output = createOutput({ io, output: 'json', talk: 'normal', snapshot: () => undefined })
  for (let stream = 0; stream < 50_000; stream++) output.event({ event: 'open', stream, target: 'db/prod:5432' })
  assert.ok(stdout.writableLength < (1 << 20) + 1000, `${stdout.writableLength} bytes`)
  assert.ok(stdout.writableLength > 1 << 19)
})
