import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { asFields, looksSecret, onlyOne, parseHeader, readHeaderFile } from '../../src/carrier/headers.ts'
import { makeFolder, removeFolder } from '../support/processes.ts'

const folder = makeFolder()
after(() => removeFolder(folder))

function file(text: string | Buffer): string {
  const path = join(folder, 'headers')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

test('a header is a name, a colon and a value without the blanks around it', () => {
  assert.deepEqual(parseHeader('X-Team: payments', 'it'), { name: 'X-Team', value: 'payments' })
  assert.deepEqual(parseHeader('a:\t b: c, "d" \t', 'it'), { name: 'a', value: 'b: c, "d"' })
  assert.deepEqual(parseHeader('X-Name: Zoë', 'it'), { name: 'X-Name', value: 'Zoë' })
  assert.deepEqual(parseHeader('Proxy-Authorization: Bearer x', 'it').name, 'Proxy-Authorization')
})

test('what is no header, or one of our own, is refused in one line that does not repeat the value', () => {
  const own = 'Authorization authorization HOST Upgrade Connection Content-Length Transfer-Encoding Origin Expect'
  const sockets = 'Sec-WebSocket-Key sec-websocket-protocol Sec-WebSocket-Version Sec-WebSocket-Extensions'
  const named = [...own.split(' '), ...sockets.split(' ')].map(name => [`${name}: s3cret`, 'tunnelctl sets itself'])
  const others = [
    ['s3cret', 'begin with a name'],
    ['', 'begin with a name'],
    [': s3cret', 'begin with a name'],
    ['Bearer s3cret: x', 'begin with a name'],
    ['X\r\nY: s3cret', 'begin with a name'],
    ['X: s3cret\r\nHost: other', 'no header may have'],
    ['X: s3cret\n', 'no header may have'],
    ['X: s3cret\r', 'no header may have'],
    ['X: s3\0cret', 'no header may have'],
    ['X: s3cret€', 'no header may have'],
    ['X: \t', 'has no value'],
  ]
  for (const [text = '', why = ''] of [...named, ...others]) {
    assert.throws(
      () => parseHeader(text, '--header'),
      (error: { code?: string; message?: string; hint?: string }) => {
        assert.equal(error.code, 'USAGE')
        assert.match(error.message ?? '', new RegExp(`^--header.*${why}[^\\n]*$`))
        assert.doesNotMatch(`${error.message} ${error.hint}`, /s3|cret/)
        return true
      },
      JSON.stringify(text),
    )
  }
})

test('of one name there is one header, and a flag goes before the file', () => {
  const before = [parseHeader('X-Team: a', 'it')]
  assert.throws(() => onlyOne(parseHeader('x-team: b', 'it'), before, 'it'), /x-team is given twice/)
  assert.deepEqual(asFields([...before, { name: 'x-team', value: 'b' }, { name: 'Y', value: 'c' }]), {
    'x-team': 'a',
    y: 'c',
  })
})

test('a file has a header on each line, with empty lines and comments between', async () => {
  const path = file('# for the edge\r\nCF-Access-Client-Id: id\r\n\r\nCF-Access-Client-Secret: s3cret\n')
  assert.deepEqual(await readHeaderFile(path), [
    { name: 'CF-Access-Client-Id', value: 'id' },
    { name: 'CF-Access-Client-Secret', value: 's3cret' },
  ])
})

test('a file that is wrong is refused by its line, and never shown', async () => {
  const refused = async (text: string | Buffer, why: RegExp) =>
    await assert.rejects(readHeaderFile(file(text)), (error: { code?: string; message?: string }) => {
      assert.equal(error.code, 'USAGE')
      assert.match(error.message ?? '', why)
      assert.doesNotMatch(error.message ?? '', /s3cret/)
      return true
    })
  await refused('X: 1\n\ns3cret\n', /headers, line 3 does not begin with a name/)
  await refused('X: 1\nHost: s3cret\n', /headers, line 2: Host is a header that tunnelctl sets itself/)
  await refused('X: 1\nx: s3cret\n', /headers, line 2: x is given twice/)
  await refused(Buffer.from('X: s3cret\xe9', 'latin1'), /line 1: the value of X has a character/)
  await refused('# nothing\n', /headers holds no header/)
  await refused(`X: ${'s3cret'.repeat(3_000)}`, /headers is over 16 KiB/)
  await assert.rejects(readHeaderFile(join(folder, 'none')), /cannot read .*none: no such file/)
})

test('a file that others may read is warned of', { skip: process.platform === 'win32' }, async () => {
  const warnings: string[] = []
  const path = file('X: s3cret')
  await readHeaderFile(path, text => warnings.push(`too early: ${text}`))
  chmodSync(path, 0o644)
  await readHeaderFile(path, text => warnings.push(text))
  assert.deepEqual(warnings, [`other users can read the headers in ${path} (mode 0644): chmod 600 it`])
})

test('what lets somebody in looks like a secret', () => {
  const secret = ['CF-Access-Client-Secret: a', 'X-Auth-Token: a', 'Cookie: a=b', 'Proxy-Authorization: Bearer a']
  for (const text of [...secret, 'X-Goog-Assertion: eyJhbGciOiJub25lIn0.e30.x', 'X-Plain: Bearer eyJhbGciOi.e30.']) {
    assert.ok(looksSecret(parseHeader(text, 'it')), text)
  }
  for (const text of ['X-Team: payments', 'CF-Access-Client-Id: abc', 'X-Eye: eyJ'])
    assert.ok(!looksSecret(parseHeader(text, 'it')), text)
})
