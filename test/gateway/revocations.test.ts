import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isRevoked, loadRevocations } from '../../src/gateway/revocations.ts'
import { folder } from '../support/certificates.ts'
import { principal } from '../support/world.ts'

function written(t: TestContext, text: string): string {
  const path = join(folder(t), 'revoked.yaml')
  writeFileSync(path, text)
  return path
}

test('tokens, people and certificates are revoked, and nobody else', async t => {
  const text = "tokens: [one]\nsubjects: [ann@example.com]\ncertificates: ['0A:0f:33']\n"
  const revocations = await loadRevocations(written(t, text))
  const revoked = (fields: object) => isRevoked(revocations, principal('connect', fields))
  assert.ok(revoked({ tokenId: 'one' }))
  assert.ok(revoked({ subject: 'ann@example.com', tokenId: 'two' }))
  assert.ok(revoked({ tokenId: 'serial A0F33' }))
  assert.ok(!revoked({ tokenId: 'two', subject: 'one' }))
  assert.ok(!revoked({ tokenId: '', subject: 'bob' }))
})

test('an empty list revokes nothing', async t => {
  for (const text of ['', '# nothing yet\n', 'tokens:\n', 'tokens: []\nsubjects: []\ncertificates: []\n']) {
    const { tokenIds, subjects } = await loadRevocations(written(t, text))
    assert.equal(tokenIds.size + subjects.size, 0)
  }
})

test('a list that is wrong is no list: nothing in it is passed over', async t => {
  const table: [string, RegExp][] = [
    ['token: [a]', /"token", which means nothing/],
    ['tokens: a', /tokens is not a list/],
    ['tokens: [7]', /is not a text/],
    ['certificates: [xyz]', /no serial number/],
    ['tokens: [a', /malformed/],
  ]
  for (const [text, message] of table)
    await assert.rejects(loadRevocations(written(t, text)), { code: 'USAGE', message }, text)
  await assert.rejects(loadRevocations(join(folder(t), 'none')), { code: 'USAGE', message: /no such file/ })
})
