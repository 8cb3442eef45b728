import assert from 'node:assert/strict'
import { test } from 'node:test'
import { updateHint } from '../../src/cli/newer.ts'

test('a gateway of a later release is told of, with what to type', () => {
  const hint = 'the gateway has tunnelctl 1.10.0, this is 1.9.3: npm i -g tunnelctl@1.10.0'
  assert.equal(updateHint('tunnelctl/1.10.0', '1.9.3'), hint)
  for (const [theirs, own] of [
    ['2.0.0', '1.9.9'],
    ['0.1.1', '0.1.0'],
  ] as const) {
    assert.ok(updateHint(`tunnelctl/${theirs}`, own), theirs)
  }
})

test('one of the same or an earlier release is not, and nothing that is no release of ours', () => {
  for (const [theirs, own] of [
    ['tunnelctl/1.9.3', '1.9.3'],
    ['tunnelctl/1.9.2', '1.9.3'],
    ['tunnelctl/0.9.9', '1.0.0'],
    ['tunnelctl/1.10.0-beta', '1.9.3'],
    ['tunnelctl/1.10.0', '0.0.0-source'],
    ['tunnelctl/1.10.0; rm -rf /', '1.9.3'],
    ['', '1.9.3'],
    ['other/2.0', '1.9.3'],
  ] as const) {
    assert.equal(updateHint(theirs, own), undefined, theirs)
  }
})
