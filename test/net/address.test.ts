import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalAddress, unmapped } from '../../src/net/address.ts'

test('an IPv4-mapped address is the IPv4 address', () => {
  assert.equal(unmapped('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(unmapped('::ffff:0:192.0.2.1'), '::ffff:0:192.0.2.1')
  assert.equal(unmapped('2001:db8::1'), '2001:db8::1')
  assert.equal(unmapped('192.0.2.1'), '192.0.2.1')
})

test('every way to write an address gives one text', () => {
  for (const same of ['2001:DB8:0:0:0:0:0:1', '2001:db8::0:1', '2001:0db8::1']) {
    assert.equal(canonicalAddress(same), '2001:db8::1')
  }
  for (const same of ['192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:FFFF:192.0.2.1']) {
    assert.equal(canonicalAddress(same), '192.0.2.1')
  }
})
