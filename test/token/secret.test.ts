import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { readToken } from '../../src/token/secret.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-secret-'))
after(() => rmSync(folder, { recursive: true }))

const token = 'eyJhbGciOiJFZERTQSJ9.eyJTRUNSRVQiOjF9.U0VDUkVU-_'
const empty = { env: {}, stdin: Readable.from([]) }

let count = 0
function file(content: string | Buffer, mode = 0o600): string {
  const path = join(folder, `token${count++}`)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

test('a token is read from a file, from stdin or from the environment, without the blanks around it', async () => {
  assert.equal(await readToken({ ...empty, tokenFile: file(`${token}\n`) }), token)
  assert.equal(await readToken({ ...empty, tokenFile: file(`\uFEFF  ${token}\r\n\n`) }), token)
  assert.equal(
    await readToken({ ...empty, tokenFile: '-', stdin: Readable.from([token.slice(0, 9), token.slice(9)]) }),
    token,
  )
  assert.equal(await readToken({ ...empty, env: { TUNNELCTL_TOKEN: token } }), token)
})

test('the file goes before the environment, also when the file is bad', async () => {
  const env = { TUNNELCTL_TOKEN: 'a.b.c' }
  assert.equal(await readToken({ ...empty, env, tokenFile: file(token) }), token)
  await assert.rejects(readToken({ ...empty, env, tokenFile: file('') }), { code: 'TOKEN_FILE' })
})

test('what holds no single token is refused in one line that names the place and shows nothing of it', async () => {
  const table: [string, RegExp][] = [
    ['', /is empty/],
    [' \n\t', /is empty/],
    [`${token}\n${token}\n`, /more than one token/],
    [`Bearer ${token}`, /more than one token, or other text/],
    ['SECRETSECRET', /no token/],
    ['SECRET.SECRET', /no token/],
    ['SECRET.SECRET.SECRET.SECRET', /no token/],
    ['SECRET.SECRET.', /no token/],
    ['SECRET.SEC+ET.SECRET', /no token/],
    ['{"d":"SECRET"}', /a key or JSON/],
    ['{\n  "d": "SECRET"\n}', /a key or JSON/],
    ['-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----', /a key or JSON/],
    [`SECRET.${'S'.repeat(8192)}.SECRET`, /over 8 KiB/],
    ['SECRET'.repeat(10_000), /over (8|16) KiB/],
  ]
  for (const [content, why] of table) {
    const path = file(content)
    const places: [string, Parameters<typeof readToken>[0]][] = [
      [path, { ...empty, tokenFile: path }],
      ['stdin', { ...empty, tokenFile: '-', stdin: Readable.from([content]) }],
      ['TUNNELCTL_TOKEN', { ...empty, env: { TUNNELCTL_TOKEN: content } }],
    ]
    for (const [place, source] of places) {
      if (place === 'TUNNELCTL_TOKEN' && content.length > 50_000) continue
      await assert.rejects(readToken(source), (thrown: unknown) => {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'TOKEN_FILE' && thrown.exitCode === 3)
        assert.match(thrown.message, why)
        assert.ok(thrown.message.includes(place), thrown.message)
        assert.ok(!/SECRET|eyJ|\n/.test(thrown.message + thrown.hint), thrown.message)
        return true
      })
    }
  }
})

test('a token of the greatest size is read', async () => {
  const long = `a.${'b'.repeat(8192 - 4)}.c`
  assert.equal(await readToken({ ...empty, tokenFile: file(`${long}\n`) }), long)
})

test('a file that is not there, and no source at all, say what to give', async () => {
  await assert.rejects(readToken({ ...empty, tokenFile: join(folder, 'none') }), {
    code: 'TOKEN_FILE',
    message: /none: no such file/,
  })
  await assert.rejects(readToken({ ...empty, tokenFile: folder }), { message: /is a directory/ })
  await assert.rejects(readToken(empty), { code: 'TOKEN_FILE', hint: /--token-file.*TUNNELCTL_TOKEN/ })
})

test('a token given in place of a file name is not shown', async () => {
  await assert.rejects(readToken({ ...empty, tokenFile: token }), (thrown: unknown) => {
    assert.ok(thrown instanceof TunnelError && thrown.code === 'TOKEN_FILE')
    return !thrown.message.includes('eyJ') && !thrown.hint.includes('eyJ')
  })
})

test('a broken stdin is a refusal, not a crash', async () => {
  const stdin = new Readable({
    read() {
      this.destroy(new Error('EIO'))
    },
  })
  await assert.rejects(readToken({ ...empty, tokenFile: '-', stdin }), { code: 'TOKEN_FILE', message: /stdin/ })
})

test('a file that others can read is used with one warning', { skip: process.platform === 'win32' }, async () => {
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  await readToken({ ...empty, tokenFile: file(token), warn })
  assert.deepEqual(warnings, [])
  await readToken({ ...empty, tokenFile: file(token, 0o640), warn })
  assert.equal(warnings.length, 1)
  assert.match(warnings.join(), /mode 0640/)
  assert.doesNotMatch(warnings.join(), /eyJ/)
})
