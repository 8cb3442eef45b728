import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chalk } from 'chalk'
import fc from 'fast-check'
import { createOutput } from '../../../src/cli/output/sink.ts'
import { failureLine, type Talk } from '../../../src/cli/output/text.ts'
import type { ConnectEvent } from '../../../src/connect/events.ts'
import { FakeStream, Screen } from './screen.ts'

function open({ talk = 'normal', terminal = false }: { talk?: Talk; terminal?: boolean } = {}) {
  const stdout = new FakeStream()
  const stderr = new FakeStream(terminal ? new Screen() : undefined)
  const io = { stdout, stderr, env: {} }
  const output = createOutput({ io, output: 'text', talk, snapshot: () => assert.fail('nobody looks') })
  return { output, stdout, stderr }
}

const events: ConnectEvent[] = [
  {
    event: 'connected',
    gateway: 'wss://gw.example.com',
    agent: 'prod',
    pingMs: 23,
    gatewaySoftware: 'tunnelctl/0.0.1',
  },
  { event: 'forwarding', local: '127.0.0.1:5432', target: 'db/prod:5432' },
  { event: 'open', stream: 1, target: 'db/prod:5432' },
  { event: 'stats', bytesUp: 1, bytesDown: 1, streamsOpen: 1, streamsTotal: 1, pingMs: 23 },
  { event: 'error', code: 'REFUSED', message: 'connection refused', hint: 'check it', stream: 1, target: 'web/dev:80' },
  { event: 'close', stream: 1, target: 'db/prod:5432', bytesUp: 0, bytesDown: 0, ms: 3, code: 'REFUSED' },
  { event: 'disconnected', reason: 'nothing was heard for 40 s' },
  { event: 'resumed', gapMs: 3210 },
]

test('stdout holds the forwarding lines and nothing else ever', () => {
  const { output, stdout } = open()
  output.connecting('wss://gw.example.com')
  for (const event of events) output.event(event)
  output.note('stopping')
  output.close('3 connections')
  assert.equal(stdout.text, 'Forwarding from 127.0.0.1:5432 -> db/prod:5432\n')
})

test('stderr has one line per failure and per change of the connection', () => {
  const { output, stderr } = open()
  output.connecting('wss://gw.example.com')
  for (const event of events) output.event(event)
  output.note('stopping')
  output.close('3 connections')
  assert.equal(
    stderr.text,
    [
      'tunnelctl: REFUSED web/dev:80: connection refused (check it)',
      'disconnected: nothing was heard for 40 s',
      'resumed after 3.2 s',
      'stopping',
      '3 connections',
      '',
    ].join('\n'),
  )
})

test('verbose has a line for each connection too, none of them on stdout', () => {
  const { output, stdout, stderr } = open({ talk: 'verbose' })
  const closed = { event: 'close', stream: 2, target: 'db/prod:5432', bytesUp: 1234, bytesDown: 5, ms: 42 } as const
  for (const event of [...events, { ...closed, code: 'OK' } as const]) output.event(event)
  assert.equal(stdout.text, 'Forwarding from 127.0.0.1:5432 -> db/prod:5432\n')
  assert.equal(
    stderr.text,
    [
      'connected through wss://gw.example.com to agent prod, 23 ms away',
      '#1 db/prod:5432 open',
      'tunnelctl: REFUSED web/dev:80: connection refused (check it)',
      '#1 db/prod:5432 ended with REFUSED after 3.0 ms: 0 B up, 0 B down',
      'disconnected: nothing was heard for 40 s',
      'resumed after 3.2 s',
      '#2 db/prod:5432 closed after 42 ms: 1.23 kB up, 5 B down',
      '',
    ].join('\n'),
  )
})

test('quiet leaves the failures only, on a terminal too', () => {
  for (const terminal of [false, true]) {
    const { output, stdout, stderr } = open({ talk: 'quiet', terminal })
    output.connecting('wss://gw.example.com')
    for (const event of events) output.event(event)
    output.note('stopping')
    output.close('3 connections')
    assert.equal(stdout.text, '')
    assert.match(
      stderr.screen?.text ?? stderr.text,
      /^tunnelctl: REFUSED web\/dev:80: connection refused \(check it\)\n$/,
    )
  }
})

test('a failure says its target once, and has no empty brackets', () => {
  const plain = new Chalk({ level: 0 })
  const line = failureLine(
    { code: 'DENIED', message: 'the agent denies db/prod:1: no pattern allows it', hint: '', target: 'db/prod:1' },
    plain,
  )
  assert.equal(line, 'tunnelctl: DENIED the agent denies db/prod:1: no pattern allows it')
})

test('whatever a peer says, each event is one line without a control', () => {
  const text = fc.string({ unit: 'binary', maxLength: 2000 })
  fc.assert(
    fc.property(text, text, (first, second) => {
      const { output, stdout, stderr } = open()
      output.event({ event: 'forwarding', local: first, target: second })
      output.event({ event: 'disconnected', reason: first })
      output.event({ event: 'error', code: 'REFUSED', message: first, hint: second, target: second })
      for (const [stream, lines] of [
        [stdout, 1],
        [stderr, 2],
      ] as const) {
        assert.match(stream.text, /^([^\p{Cc}\p{Cf}\p{Cs}]*\n)*$/u)
        assert.equal(stream.text.split('\n').length - 1, lines)
      }
    }),
  )
})
