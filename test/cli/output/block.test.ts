import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type BlockExtras, blockRows, closingRows } from '../../../src/cli/output/block.ts'
import type { Rate } from '../../../src/cli/output/rates.ts'
import type { Row, Size } from '../../../src/cli/output/row.ts'
import type { ConnectSnapshot } from '../../../src/connect/events.ts'
import type { LinkState } from '../../../src/uplink/state.ts'
import { forward, snapshotOf } from './snapshot.ts'

const wide = { columns: 120, rows: 40 }
const textOf = (row: Row) => row.map(({ text }) => text).join('')
const linesOf = (snapshot: ConnectSnapshot, size = wide, rates: Rate[] = []) =>
  blockRows(snapshot, rates, size).map(textOf)
const headerOf = (state: LinkState, differences: Partial<ConnectSnapshot> = {}) =>
  linesOf(snapshotOf({ state, ...differences }))[1]

const busy = snapshotOf({
  forwards: [
    forward(0, { streamsOpen: 3, bytesUp: 1_200_000, bytesDown: 34_000_000 }),
    forward(2948, { target: 'payments/dev:http', streamsOpen: 12 }),
  ],
})
const busyRates = [
  { up: 12_000, down: 1_100_000 },
  { up: 0, down: 0 },
]

test('the block is a header, a row per forward in aligned columns, and the ping', () => {
  assert.deepEqual(linesOf(busy, wide, busyRates), [
    '',
    '● connected 23 ms  wss://gw.example.com → prod  up 12 min',
    '127.0.0.1:5432 → db/prod:5432        3 open  ↑ 1.20 MB 12.0 kB/s  ↓ 34.0 MB 1.10 MB/s',
    '127.0.0.1:8380 → payments/dev:http  12 open  ↑     0 B     0 B/s  ↓     0 B     0 B/s',
    'ping 23 ms  p50 22  p99 41  gateway 11 ms · agent 12 ms  ▁▁▂▇▁',
  ])
})

test('the usual forward fits a terminal of 80 columns, whole', () => {
  const [, , row] = linesOf(
    snapshotOf({ forwards: [busy.forwards[0] ?? forward(0)] }),
    { columns: 80, rows: 24 },
    busyRates,
  )
  assert.equal(row, '127.0.0.1:5432 → db/prod:5432   3 open  ↑ 1.20 MB 12.0 kB/s  ↓ 34.0 MB 1.10 MB/s')
  assert.equal(row?.length, 80)
})

test('narrower terminals drop the address, then the totals, then the middle of the target, then the traffic', () => {
  const at = (columns: number) => linesOf(busy, { columns, rows: 24 }, busyRates).slice(2, 4)
  assert.deepEqual(at(76), [
    ':5432 → db/prod:5432        3 open  ↑ 1.20 MB 12.0 kB/s  ↓ 34.0 MB 1.10 MB/s',
    ':8380 → payments/dev:http  12 open  ↑     0 B     0 B/s  ↓     0 B     0 B/s',
  ])
  assert.deepEqual(at(75), [
    ':5432 → db/prod:5432        3 open  ↑ 12.0 kB/s  ↓ 1.10 MB/s',
    ':8380 → payments/dev:http  12 open  ↑     0 B/s  ↓     0 B/s',
  ])
  assert.deepEqual(at(59), [
    ':5432 → db/prod:5432       3 open  ↑ 12.0 kB/s  ↓ 1.10 MB/s',
    ':8380 → payments…ev:http  12 open  ↑     0 B/s  ↓     0 B/s',
  ])
  assert.deepEqual(at(40), [':5432 → db/prod:5432        3 open', ':8380 → payments/dev:http  12 open'])
  assert.deepEqual(at(20), [':5432 → db/prod:543…', ':8380 → paymen…:htt…'])
})

test('an address that is not a loopback one is never left out', () => {
  const snapshot = snapshotOf({
    forwards: [forward(0, { local: '192.168.7.20:5432' }), forward(1, { local: '[::1]:53' })],
  })
  const rows = linesOf(snapshot, { columns: 60, rows: 24 })
  assert.match(rows[2] ?? '', /^192\.168\.7\.20:5432 → db\/prod:5432 /)
  assert.match(rows[3] ?? '', /^:53 {15}→ db\/prod:5432 /)
})

test('the header says the state in the words of the design', () => {
  const connecting = headerOf({ name: 'connecting' })
  assert.equal(connecting, '● connecting  wss://gw.example.com → prod  up 12 min')
  assert.match(headerOf({ name: 'connected' }, { ping: { recentMs: [] } }) ?? '', /^● connected {2}wss/)
  const resuming = { name: 'resuming', forMs: 3400, streamsHeld: 4 } as const
  assert.match(headerOf(resuming) ?? '', /^● resuming 3 s, 4 streams held {2}wss/)
  assert.match(headerOf({ ...resuming, streamsHeld: 1 }) ?? '', /^● resuming 3 s, 1 stream held {2}wss/)
  assert.match(headerOf({ ...resuming, streamsHeld: 0 }) ?? '', /^● resuming 3 s {2}wss/)
  const offline = { name: 'offline', forMs: 9000, nextTryMs: 1800, reason: 'refused' } as const
  assert.match(headerOf(offline) ?? '', /^● offline, next try in 2 s {2}wss/)
  assert.match(headerOf({ ...offline, nextTryMs: 0 }) ?? '', /^● offline, next try in 1 s {2}wss/)
})

test('resumes are counted once there are some', () => {
  assert.match(headerOf({ name: 'connected' }, { resumes: 1 }) ?? '', /up 12 min {2}1 resume$/)
  assert.match(headerOf({ name: 'connected' }, { resumes: 2 }) ?? '', /up 12 min {2}2 resumes$/)
})

test('while offline the last row says why', () => {
  const state = { name: 'offline', forMs: 1, nextTryMs: 1, reason: 'getaddrinfo ENOTFOUND gw.example.com' } as const
  assert.equal(linesOf(snapshotOf({ state })).at(-1), 'getaddrinfo ENOTFOUND gw.example.com')
})

test('the ping row holds what is known, and the agent leg is never negative', () => {
  const last = (ping: ConnectSnapshot['ping']) => linesOf(snapshotOf({ ping })).at(-1)
  assert.equal(last({ recentMs: [] }), 'ping -')
  assert.equal(last({ recentMs: [5], nowMs: 5 }), 'ping 5.0 ms  ▁')
  assert.equal(last({ recentMs: [], nowMs: 5, gatewayMs: 7 }), 'ping 5.0 ms  gateway 7.0 ms · agent 0 ms')
  assert.equal(last({ recentMs: [], nowMs: 5, p50Ms: 5, p99Ms: 2300 }), 'ping 5.0 ms  p50 5.0  p99 2.3 s')
})

test('the sparkline takes the room there is', () => {
  const ping = { nowMs: 23, p50Ms: 22, p99Ms: 41, gatewayMs: 11, recentMs: Array.from({ length: 30 }, () => 23) }
  const bars = (columns: number) =>
    linesOf(snapshotOf({ ping }), { columns, rows: 24 }).at(-1)?.match(/▁/g)?.length ?? 0
  assert.deepEqual([bars(120), bars(80), bars(61), bars(60), bars(30)], [30, 23, 4, 0, 0])
})

test('in a narrow terminal the ping row leaves out legs, whole, from the end', () => {
  const snapshot = snapshotOf({ ping: { nowMs: 23, p50Ms: 22, p99Ms: 41, gatewayMs: 11, dialMs: 4.2, recentMs: [] } })
  const last = (columns: number) => linesOf(snapshot, { columns, rows: 24 }).at(-1)
  assert.equal(last(72), 'ping 23 ms  p50 22  p99 41  gateway 11 ms · agent 12 ms · service 4.2 ms')
  assert.equal(last(71), 'ping 23 ms  p50 22  p99 41  gateway 11 ms · agent 12 ms')
  assert.equal(last(54), 'ping 23 ms  p50 22  p99 41')
})

test('with fewer rows than forwards the busiest are shown, in their own order, and the rest is counted', () => {
  const forwards = Array.from({ length: 12 }, (_, index) => forward(index, { target: `s${index}/dev:80` }))
  const rates = forwards.map((_, index) => ({ up: 0, down: [9, 2, 7].includes(index) ? index * 1000 : 0 }))
  const rows = linesOf(snapshotOf({ forwards }), { columns: 80, rows: 8 }, rates)
  assert.equal(rows.length, 7)
  assert.deepEqual(
    rows.slice(1, -1).map(row => /→ (\S+)/.exec(row)?.[1] ?? row),
    ['s0/dev:80', 's2/dev:80', 's7/dev:80', 's9/dev:80', '… and 8 more'],
  )
})

test('open connections, then bytes, decide when nothing moves', () => {
  const forwards = [forward(0), forward(1, { bytesUp: 5 }), forward(2, { streamsOpen: 1 }), forward(3)]
  const rows = linesOf(snapshotOf({ forwards }), { columns: 80, rows: 6 })
  assert.match(rows[1] ?? '', /:5433/)
  assert.match(rows[2] ?? '', /:5434/)
  assert.equal(rows[3], '… and 2 more')
})

test('whatever the snapshot and the terminal, rows fit, and a column is a character', () => {
  const text = fc.string({ unit: 'binary', maxLength: 300 })
  const count = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e21, noNaN: true }))
  const forwards = fc.array(
    fc.record({
      local: text,
      target: text,
      streamsOpen: fc.nat(),
      streamsTotal: count,
      bytesUp: count,
      bytesDown: count,
    }),
    { maxLength: 30 },
  )
  const state = fc.oneof(
    fc.constant<LinkState>({ name: 'connected' }),
    fc.record({ name: fc.constant('resuming' as const), forMs: count, streamsHeld: fc.nat() }),
    fc.record({ name: fc.constant('offline' as const), forMs: count, nextTryMs: count, reason: text }),
  )
  const size = fc.record({ columns: fc.integer({ min: 1, max: 300 }), rows: fc.integer({ min: 1, max: 60 }) })
  fc.assert(
    fc.property(text, text, forwards, state, size, (gateway, agent, forwards, state, size) => {
      const rows = linesOf(snapshotOf({ gateway, agent, forwards, state }), size)
      assert.ok(rows.length < size.rows || size.rows === 1, `${rows.length} rows`)
      for (const row of rows) {
        assert.ok(row.length <= size.columns, row)
        assert.match(row, /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u024f·●→↑↓…▁-█]*$/)
      }
    }),
  )
})

test('what stays at the end are the totals of every forward and the ping', () => {
  const snapshot = snapshotOf({
    resumes: 2,
    forwards: [
      forward(0, { streamsTotal: 41, bytesUp: 1_200_000, bytesDown: 34_000_000 }),
      forward(1, { streamsTotal: 1 }),
    ],
  })
  assert.deepEqual(closingRows(snapshot, 80).map(textOf), [
    '',
    '○ closed  wss://gw.example.com → prod  up 12 min  2 resumes',
    '127.0.0.1:5432 → db/prod:5432  41 connections  ↑ 1.20 MB  ↓ 34.0 MB',
    '127.0.0.1:5433 → db/prod:5432   1 connection   ↑     0 B  ↓     0 B',
    'ping p50 22 ms  p99 41 ms',
  ])
})

const stream = (id: number, ageMs = 61_000) => ({ id, target: 'db/prod:5432', ageMs, bytesUp: 5, bytesDown: 1_500 })
const rowsOf = (snapshot: ConnectSnapshot, size: Size, extras: BlockExtras): string[] =>
  blockRows(snapshot, [], size, extras).map(textOf)

test('with details, each connection has a row, the newest ones when there is little room', () => {
  const size = { columns: 80, rows: 24 }
  const one = rowsOf(snapshotOf(), size, { streams: [stream(7)] })
  assert.ok(one.includes('  #7  db/prod:5432  open 1 min  ↑     5 B  ↓ 1.50 kB'), one.join('\n'))
  assert.ok(rowsOf(snapshotOf(), size, { streams: [] }).includes('  no connection is open'))
  const many = Array.from({ length: 50 }, (_, index) => stream(index + 1))
  const rows = rowsOf(snapshotOf(), { columns: 80, rows: 12 }, { streams: many, keys: '? keys' })
  assert.equal(rows.length, 11)
  assert.equal(rows.at(-1), '? keys')
  assert.ok(rows.some(row => /^ {2}… and 4\d older$/.test(row)))
  assert.ok(rows.some(row => row.startsWith('  #50 ')))
})

test('connections stand in columns, and where they do not fit targets lose their middle', () => {
  const streams = [
    { ...stream(9), bytesUp: 1_180_000 },
    { ...stream(10, 2_000), target: 'reconciliation/payments:8443' },
  ]
  const at = (columns: number) =>
    rowsOf(snapshotOf(), { columns, rows: 24 }, { streams }).filter(row => row.startsWith('  #'))
  assert.deepEqual(at(80), [
    '  #9   db/prod:5432                  open 1 min  ↑ 1.18 MB  ↓ 1.50 kB',
    '  #10  reconciliation/payments:8443  open 2 s    ↑     5 B  ↓ 1.50 kB',
  ])
  assert.deepEqual(at(60), [
    '  #9   db/prod:5432         open 1 min  ↑ 1.18 MB  ↓ 1.50 kB',
    '  #10  reconcili…ents:8443  open 2 s    ↑     5 B  ↓ 1.50 kB',
  ])
})

test('a low terminal has no row for keys, and one for each forward before any connection', () => {
  const rows = rowsOf(snapshotOf(), { columns: 80, rows: 4 }, { streams: [stream(1)], keys: '? keys' })
  assert.equal(rows.length, 3)
  assert.ok(!rows.includes('? keys'))
  assert.ok(!rows.some(row => row.includes('#1')))
})

test('the leg to the service is what its last dial took, once there was one', () => {
  const { ping } = snapshotOf()
  const rows = rowsOf(snapshotOf({ ping: { ...ping, dialMs: 4.2 } }), { columns: 120, rows: 24 }, {})
  assert.ok(
    rows.some(row => row.includes('gateway 11 ms · agent 12 ms · service 4.2 ms')),
    rows.join('\n'),
  )
  assert.ok(!rowsOf(snapshotOf(), { columns: 120, rows: 24 }, {}).some(row => row.includes('service')))
})
