import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback } from '../../src/net/loopback.ts'

test('loopback is an address of it, or localhost, and no name that only looks like one', () => {
  for (const host of ['127.0.0.1', '127.255.0.9', '::1', '[::1]', 'localhost']) assert.ok(isLoopback(host), host)
  for (const host of ['127.evil.example', '128.0.0.1', '::', '0.0.0.0', 'localhost.example', '']) {
    assert.ok(!isLoopback(host), host)
  }
})
