import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CLIENT_HELLO_BYTES, serverName } from '../../../src/gateway/ingress/client-hello.ts'
import { clientHello, inRecords, payload, protocolsOf } from '../../support/client-hello.ts'

const named = await clientHello({ servername: 'App.Example.COM' })
const unnamed = await clientHello({})
const old = await clientHello({ servername: 'old.example.com', maxVersion: 'TLSv1.2' })
const large = await clientHello({ servername: 'large.example.com', ALPNProtocols: protocolsOf(17 * 1024) })

const real: [what: string, hello: Buffer, name: string | undefined][] = [
  ['with a name', named, 'app.example.com'],
  ['without a name', unnamed, undefined],
  ['of TLS 1.2', old, 'old.example.com'],
  ['of 17 KiB, in two records', large, 'large.example.com'],
]

for (const [what, hello, name] of real) {
  test(`a real ClientHello ${what} is read as soon as it is whole, wherever it is cut`, () => {
    for (let length = 0; length < hello.length; length++) assert.equal(serverName(hello.subarray(0, length)), 'more')
    assert.deepEqual(serverName(hello), { name })
    assert.deepEqual(serverName(Buffer.concat([hello, Buffer.from('what follows')])), { name })
  })

  test(`a real ClientHello ${what} gives the same name in records of every size`, () => {
    const message = payload(hello)
    const sizes = message.length < 4_096 ? message.length : 64
    for (let size = 1; size <= sizes; size++) {
      const records = inRecords(message, size)
      const tooLong = records.length > CLIENT_HELLO_BYTES
      assert.deepEqual(serverName(records), tooLong ? 'not tls' : { name }, `records of ${size} bytes`)
      if (!tooLong) assert.equal(serverName(records.subarray(0, -1)), 'more', `records of ${size} bytes`)
    }
  })
}

test('the large one is really larger than a record', () => {
  assert.ok(payload(large).length > 17 * 1024)
})

test('in records of a few bytes it is read as soon as it is whole, wherever it is cut', () => {
  for (const size of [1, 2, 3, 7, 100]) {
    const records = inRecords(payload(named), size)
    for (let length = 0; length < records.length; length++) {
      assert.equal(serverName(records.subarray(0, length)), 'more', `${length} bytes, in records of ${size}`)
    }
    assert.deepEqual(serverName(records), { name: 'app.example.com' })
  }
})

/** A ClientHello with these extensions, byte by byte as in RFC 8446, 4.1.2. */
function hello(extensions: Buffer | undefined, change: (body: Buffer) => Buffer = body => body): Buffer {
  const body = change(
    Buffer.concat([
      Buffer.from([3, 3]),
      Buffer.alloc(32, 7),
      vector(1, Buffer.alloc(32, 8)),
      vector(2, Buffer.from([0x13, 0x01])),
      vector(1, Buffer.from([0])),
      ...(extensions === undefined ? [] : [vector(2, extensions)]),
    ]),
  )
  return inRecords(Buffer.concat([Buffer.from([1]), vector(3, body)]), 16_384)
}

function vector(lengthBytes: number, bytes: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(bytes.length, 0, lengthBytes)
  return Buffer.concat([length, bytes])
}

const splice = (bytes: Buffer, start: number, end: number, instead: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, start), instead, bytes.subarray(end)])
const extension = (type: number, data: Buffer): Buffer => Buffer.concat([Buffer.from([0, type]), vector(2, data)])
const entry = (type: number, host: Buffer): Buffer => Buffer.concat([Buffer.from([type]), vector(2, host)])
const names = (...entries: Buffer[]): Buffer => extension(0, vector(2, Buffer.concat(entries)))
const host = (text: string): Buffer => entry(0, Buffer.from(text, 'latin1'))

test('the name is found behind extensions that nobody knows', () => {
  assert.deepEqual(serverName(hello(Buffer.concat([extension(0xaa, Buffer.alloc(9)), names(host('a.b'))]))), {
    name: 'a.b',
  })
})

test('a ClientHello may end before the extensions, or have none', () => {
  assert.deepEqual(serverName(hello(undefined)), { name: undefined })
  assert.deepEqual(serverName(hello(Buffer.alloc(0))), { name: undefined })
})

test('what RFC 6066 does not allow as a host name is none', () => {
  const label = 'a'.repeat(63)
  const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`
  for (const good of ['a', 'xn--bcher-kva.example', '0-0.example', '1.example', longest]) {
    assert.deepEqual(serverName(hello(names(host(good)))), { name: good })
  }
  const bad = ['a.', '.', '.a', 'a..b', '10.0.0.1', '::1', '[::1]', '-a', 'a-', 'a_b', '*.a', 'a b', 'a\0.b', 'bücher']
  for (const each of [...bad, 'a/b', 'a:443', `${label}a.b`, `${longest}a`]) {
    assert.deepEqual(serverName(hello(names(host(each)))), { name: undefined }, each)
  }
})

test('a ClientHello with a length that does not fit is not read', () => {
  const good = names(host('a.b'))
  const malformed: [what: string, bytes: Buffer][] = [
    ['two names', hello(names(host('a.b'), host('c.d')))],
    ['two lists', hello(Buffer.concat([good, good]))],
    ['an empty list', hello(names())],
    ['an empty name', hello(names(host('')))],
    ['another type of name', hello(names(entry(1, Buffer.from('a.b'))))],
    ['a list that is longer than its extension', hello(extension(0, Buffer.from([0, 9, 0, 0, 1, 0x61])))],
    ['a list that is shorter than its extension', hello(extension(0, Buffer.from([0, 4, 0, 0, 1, 0x61, 0])))],
    ['an extension that is longer than all', hello(good.subarray(0, -1))],
    ['something behind the extensions', hello(good, body => Buffer.concat([body, Buffer.alloc(1)]))],
    ['nothing but a version', hello(good, body => body.subarray(0, 2))],
    ['a session id of 33 bytes', hello(good, body => splice(body, 34, 67, vector(1, Buffer.alloc(33))))],
    ['no cipher suite', hello(good, body => splice(body, 67, 71, vector(2, Buffer.alloc(0))))],
    ['half a cipher suite', hello(good, body => splice(body, 67, 71, vector(2, Buffer.alloc(3))))],
    ['no compression method', hello(good, body => splice(body, 71, 73, vector(1, Buffer.alloc(0))))],
  ]
  for (const [what, bytes] of malformed) assert.equal(serverName(bytes), 'not tls', what)
})

test('what begins as no ClientHello is known from the first byte that is wrong', () => {
  const start = named.subarray(0, 6)
  const wrong: [at: number, byte: number][] = [
    [0, 21],
    [0, 'G'.charCodeAt(0)],
    [1, 2],
    [5, 2],
  ]
  for (const [at, byte] of wrong) {
    const bytes = Buffer.from(start)
    bytes[at] = byte
    assert.equal(serverName(bytes.subarray(0, at)), 'more')
    assert.equal(serverName(bytes.subarray(0, at + 1)), 'not tls', `byte ${at}`)
  }
})

test('a record must have 1 to 16384 bytes, and another kind of record may not come between', () => {
  for (const [length, answer] of [
    [0, 'not tls'],
    [1, 'more'],
    [16_384, 'more'],
    [16_385, 'not tls'],
  ] as const) {
    const bytes = Buffer.from([22, 3, 1, 0, 0])
    bytes.writeUInt16BE(length, 3)
    assert.equal(serverName(bytes), answer, String(length))
  }
  const records = inRecords(payload(named), 100)
  records[105] = 23
  assert.equal(serverName(records), 'not tls')
})

test('a ClientHello over 64 KiB is refused when its length is known, and records never make it look at more', () => {
  assert.equal(serverName(Buffer.from([22, 3, 1, 1, 0, 1, 0, 0xff, 0xfc])), 'more')
  assert.equal(serverName(Buffer.from([22, 3, 1, 1, 0, 1, 0, 0xff, 0xfd])), 'not tls')
  const records = inRecords(Buffer.concat([Buffer.from([1, 0, 0xff, 0]), Buffer.alloc(0xff00)]), 100)
  assert.equal(serverName(records.subarray(0, CLIENT_HELLO_BYTES - 1)), 'more')
  assert.equal(serverName(records.subarray(0, CLIENT_HELLO_BYTES)), 'not tls')
})

test('whatever bytes come, nothing throws, and an answer once given stays', () => {
  const flipped = fc
    .tuple(fc.constantFrom(named, unnamed, old), fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 4 }))
    .map(([sample, flips]) => {
      const bytes = Buffer.from(sample)
      for (const [at, byte] of flips) if (at < bytes.length) bytes[at] = byte
      return bytes
    })
  const random = fc.uint8Array({ maxLength: 600 }).map(bytes => Buffer.from(bytes))
  const begun = random.map(bytes => Buffer.concat([named.subarray(0, 6), bytes]))
  fc.assert(
    fc.property(fc.oneof(random, begun, flipped), fc.nat(600), (bytes, cut) => {
      const early = serverName(bytes.subarray(0, cut))
      if (early !== 'more') assert.deepEqual(serverName(bytes), early)
      serverName(bytes)
    }),
    { numRuns: 5_000 },
  )
})
