import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TunnelError } from '../../../src/errors.ts'
import { type ProxyHeader, parseProxyHeader } from '../../../src/gateway/ingress/proxy-protocol.ts'
import { proxyV2 } from '../../support/proxy-header.ts'

const v4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 1, 0xbb])
const from4 = { address: '192.0.2.1', port: 12_345 }

function v6(source: Buffer): Buffer {
  return Buffer.concat([source, Buffer.alloc(16, 1), v4.subarray(8)])
}
const doc = Buffer.from('20010db8000000000000000000000001', 'hex')
const mapped = Buffer.from('00000000000000000000ffffc0000201', 'hex')

const good: [what: string, header: Buffer, source: ProxyHeader['source']][] = [
  ['v1 TCP4', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n'), from4],
  ['v1 TCP6', Buffer.from('PROXY TCP6 2001:DB8:0::0:1 ::1 12345 443\r\n'), { address: '2001:db8::1', port: 12_345 }],
  ['v1 TCP6, IPv4-mapped', Buffer.from('PROXY TCP6 ::FFFF:c000:201 ::1 12345 443\r\n'), from4],
  ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['v1 UNKNOWN with 107 bytes', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), undefined],
  ['v2 IPv4', proxyV2(0x21, 0x11, v4), from4],
  ['v2 IPv6', proxyV2(0x21, 0x21, v6(doc)), { address: '2001:db8::1', port: 12_345 }],
  ['v2 IPv6, IPv4-mapped', proxyV2(0x21, 0x21, v6(mapped)), from4],
  ['v2 IPv4 with TLVs', proxyV2(0x21, 0x11, Buffer.concat([v4, Buffer.from([4, 0, 2, 9, 9])])), from4],
  ['v2 with 4 KiB', proxyV2(0x21, 0x11, Buffer.concat([v4, Buffer.alloc(4_096 - 12)])), from4],
  ['v2 LOCAL', proxyV2(0x20, 0x00, Buffer.alloc(0)), undefined],
  ['v2 LOCAL with addresses', proxyV2(0x20, 0x11, v4), undefined],
  ['v2 UNSPEC', proxyV2(0x21, 0x00, Buffer.alloc(5)), undefined],
  ['v2 UDP', proxyV2(0x21, 0x12, v4), undefined],
  ['v2 Unix', proxyV2(0x21, 0x31, Buffer.alloc(216)), undefined],
]

for (const [what, header, source] of good) {
  test(`${what} is read as soon as it is whole, wherever it is cut, and nothing behind it`, () => {
    const expected = source === undefined ? { consumed: header.length } : { consumed: header.length, source }
    for (let length = 0; length < header.length; length++) {
      assert.equal(parseProxyHeader(header.subarray(0, length)), 'more', `${length} bytes`)
    }
    assert.deepEqual(parseProxyHeader(header), expected)
    assert.deepEqual(parseProxyHeader(Buffer.concat([header, header])), expected)
  })
}

test('what begins as no header is none, from the first byte that is wrong', () => {
  assert.equal(parseProxyHeader(Buffer.from('G')), 'none')
  assert.equal(parseProxyHeader(Buffer.from('PROXi')), 'none')
  assert.equal(parseProxyHeader(Buffer.from('PROXY\t')), 'none')
  assert.equal(parseProxyHeader(Buffer.from('\r\n\r\n')), 'more')
  assert.equal(parseProxyHeader(Buffer.from('\r\n\r\nG')), 'none')
  assert.equal(parseProxyHeader(Buffer.from([22, 3, 1])), 'none')
})

const bad: [what: string, header: Buffer][] = [
  ...[
    'PROXY \r\n',
    'PROXY TCP4\r\n',
    'PROXY tcp4 192.0.2.1 198.51.100.2 12345 443\r\n',
    'PROXY TCP5 192.0.2.1 198.51.100.2 12345 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 12345\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 12345 443 1\r\n',
    'PROXY TCP4  192.0.2.1 198.51.100.2 12345 443\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.2 12345 443\r\n',
    'PROXY TCP4 192.0.2.1 nowhere 12345 443\r\n',
    'PROXY TCP4 ::1 ::1 12345 443\r\n',
    'PROXY TCP6 192.0.2.1 198.51.100.2 12345 443\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 12345 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 012 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 12345 -1\r\n',
    `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`,
    'x'.padStart(107, 'PROXY '),
  ].map((text): [string, Buffer] => [JSON.stringify(text), Buffer.from(text)]),
  ['v2 of version 1', proxyV2(0x11, 0x11, v4)],
  ['v2 with another command', proxyV2(0x22, 0x11, v4)],
  ['v2 with another family', proxyV2(0x21, 0x41, v4)],
  ['v2 with another transport', proxyV2(0x21, 0x13, v4)],
  ['v2 IPv4 that is too short', proxyV2(0x21, 0x11, v4.subarray(1))],
  ['v2 IPv6 that is too short', proxyV2(0x21, 0x21, v6(doc).subarray(1))],
  ['v2 over 4 KiB', proxyV2(0x21, 0x11, Buffer.alloc(4_097)).subarray(0, 16)],
]

test('a malformed header is a violation of the protocol', () => {
  for (const [what, header] of bad) {
    assert.throws(() => parseProxyHeader(header), isViolation, what)
  }
})

const isViolation = (thrown: unknown): boolean => thrown instanceof TunnelError && thrown.code === 'PROTOCOL'

test('whatever bytes come, an answer once given stays, and nothing else is thrown', () => {
  const answer = (bytes: Buffer) => {
    try {
      return parseProxyHeader(bytes)
    } catch (thrown) {
      assert.ok(isViolation(thrown), String(thrown))
      return 'malformed'
    }
  }
  const random = fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes))
  const start = fc.constantFrom(...good.map(([, header]) => header))
  const begun = fc
    .tuple(start, fc.nat(60), random)
    .map(([header, cut, rest]) => Buffer.concat([header.subarray(0, cut), rest]))
  fc.assert(
    fc.property(fc.oneof(random, begun), fc.nat(200), (bytes, cut) => {
      const early = answer(bytes.subarray(0, cut))
      if (early !== 'more') assert.deepEqual(answer(bytes), early)
    }),
    { numRuns: 5_000 },
  )
})
