import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, errorCodes, TunnelError } from '../../src/errors.ts'
import { statusOf } from '../../src/gateway/auth.ts'
import { FrameType } from '../../src/wire/frame.ts'
import { Kind } from '../../src/wire/message.ts'
import { Page } from './document.ts'

const protocol = new Page('protocol.md')
const errors = new Page('errors.md')

const errorOf = (code: ErrorCode): TunnelError => new TunnelError(code, 'reason')

/** Undefined for a failure without a code of its own: it ends streams as GONE, and carriers as INTERNAL. */
const wireOf = (code: ErrorCode): number | undefined => own(code, 'GONE', error => error.wire)
const closeOf = (code: ErrorCode): number | undefined => own(code, 'INTERNAL', error => error.close)

function own(code: ErrorCode, fallback: ErrorCode, read: (error: TunnelError) => number): number | undefined {
  const value = read(errorOf(code))
  return code !== fallback && value === read(errorOf(fallback)) ? undefined : value
}

test('the table of codes is that of the program', () => {
  const expected = errorCodes
    .filter(code => wireOf(code) !== undefined)
    .map(code => [String(wireOf(code)), code, errorOf(code).retryable ? 'yes' : 'no'])
  assert.deepEqual(
    protocol.table('codes').map(row => row.slice(0, 3)),
    expected,
  )
})

test('a code comes back from the wire as itself, and an unknown one as INTERNAL', () => {
  const known = new Set<number>()
  for (const code of errorCodes) {
    const wire = wireOf(code)
    if (wire === undefined) continue
    known.add(wire)
    assert.equal(TunnelError.fromWire(wire, 'why').code, code)
    assert.ok(wire > 0 && wire < 2 ** 16)
  }
  assert.equal(known.size, protocol.table('codes').length, 'two failures share a code')
  for (const wire of [0, 16, 31, 40, 65_535].filter(wire => !known.has(wire))) {
    assert.equal(TunnelError.fromWire(wire, 'why').code, 'INTERNAL')
  }
})

test('the table of close codes is that of the program, and the first name is the one that is read', () => {
  const byClose = new Map<number, ErrorCode[]>()
  for (const code of errorCodes) {
    const close = closeOf(code)
    if (close !== undefined) byClose.set(close, [...(byClose.get(close) ?? []), code])
  }
  const sorted = [...byClose].sort(([a], [b]) => a - b)
  assert.deepEqual(
    protocol.table('close').map(row => row.slice(0, 2)),
    sorted.map(([close, codes]) => [String(close), codes.join(', ')]),
  )
  for (const [close, [first]] of sorted) {
    // To the receiver 1011 is a carrier that is gone, like every code that it does not know.
    assert.equal(TunnelError.fromClose(close, '').code, close === 1011 ? 'GATEWAY_UNREACHABLE' : first)
  }
  for (const close of [1000, 1001, 1002, 1003, 1006, 1008, 1009, 4000, 4999]) {
    const { code, retryable } = TunnelError.fromClose(close, '')
    assert.deepEqual({ code, retryable }, { code: 'GATEWAY_UNREACHABLE', retryable: true })
  }
})

test('the table of HTTP statuses is that of the door', () => {
  const shown = protocol
    .table('statuses')
    .flatMap(([status = '', names = '']) => names.split(', ').map(name => `${status} ${name}`))
  const served = errorCodes.map(code => `${statusOf(errorOf(code))} ${code}`).filter(line => !line.startsWith('500'))
  assert.deepEqual(shown.sort(), served.sort())
})

test('the tables of kinds and of frames are those of the program', () => {
  const hex = (kind: number) => `0x${kind.toString(16).padStart(2, '0')}`
  assert.deepEqual(
    protocol.table('kinds').map(row => row.slice(0, 2)),
    Object.entries(Kind).map(([name, kind]) => [hex(kind), name]),
  )
  assert.deepEqual(
    protocol.table('frames').map(row => row.slice(0, 2)),
    Object.entries(FrameType).map(([name, type]) => [String(type), name]),
  )
})

test('errors.md explains each code under its own heading, in the order of the program', () => {
  assert.deepEqual(errors.headings(), errorCodes)
})

test('errors.md gives the facts of each code as the program has them', () => {
  for (const code of errorCodes) {
    const { exitCode, retryable } = errorOf(code)
    const facts = [
      `exit code ${exitCode}`,
      ...(wireOf(code) === undefined ? [] : [`wire code ${wireOf(code)}`]),
      ...(closeOf(code) === undefined ? [] : [`close code ${closeOf(code)}`]),
      ...(retryable ? ['worth another try'] : []),
    ]
    const [heading, empty, line] = errors.text.slice(errors.text.indexOf(`\n## ${code}\n`) + 1).split('\n')
    assert.deepEqual([heading, empty, line], [`## ${code}`, '', `_${facts.join(' · ')}_`])
  }
})

test('every section of the pages that the program names is there', () => {
  const titles = new Set(protocol.headings())
  let references = 0
  for (const file of sourceFiles()) {
    // Comments wrap: a reference may go on behind the next line's asterisk.
    const text = readFileSync(file, 'utf8').replace(/\n\s*(\*|\/\/) /g, ' ')
    for (const [, list = ''] of text.matchAll(/docs\/protocol\.md, ("[^"]+"(?:(?:,| and) "[^"]+")*)/g)) {
      for (const [, title = ''] of list.matchAll(/"([^"]+)"/g)) {
        references++
        assert.ok(titles.has(title), `${file} names a section "${title}"`)
      }
    }
  }
  assert.ok(references >= 10)
})

test('every link inside the page leads to a heading', () => {
  const anchors = [...protocol.headings(2), ...protocol.headings(3)].map(title =>
    title
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  )
  const links = [...protocol.text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor ?? '')
  assert.ok(links.length > 20)
  for (const link of links) assert.ok(anchors.includes(link), link)
  const contents = protocol.text.slice(protocol.text.indexOf('Contents:'), protocol.text.indexOf('## Terms'))
  for (const title of protocol.headings()) assert.ok(contents.replace(/\n/g, ' ').includes(`[${title}](`), title)
})

function sourceFiles(): string[] {
  const source = fileURLToPath(new URL('../../src', import.meta.url))
  return (readdirSync(source, { recursive: true }) as string[])
    .filter(file => file.endsWith('.ts'))
    .map(file => join(source, file))
}
