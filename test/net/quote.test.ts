import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quote, redactTokens } from '../../src/net/quote.ts'

const token = 'eyJhbGciOiJFZERTQSJ9.eyJTRUNSRVQiOjF9.U0VDUkVU-_'

test('redaction leaves the text and takes every token, whole or cut', () => {
  assert.equal(
    redactTokens(`unknown option '--tokn=${token}' at ${token}.`),
    "unknown option '--tokn=[token]' at [token].",
  )
  assert.equal(redactTokens(`near ${token.slice(0, 40)}`), 'near [token]')
  assert.equal(redactTokens('web.prod.svc:80 and keyJson.parse'), 'web.prod.svc:80 and keyJson.parse')
})

test('a quoted text is one bounded line without tokens', () => {
  assert.equal(quote('a"b\n'), '"a\\"b\\n"')
  assert.equal(quote(token), '"[token]"')
  assert.equal(quote('a'.repeat(81)), `"${'a'.repeat(80)}…"`)
  assert.equal(quote('a'.repeat(80)), `"${'a'.repeat(80)}"`)
  assert.ok(!quote(`${'x'.repeat(70)} ${token}`).includes('eyJ'), 'a token across the cut')
  assert.ok(quote('\0'.repeat(1e6)).length < 600)
})
