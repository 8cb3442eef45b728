import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { isShared, readSmallFile, readSmallStream } from '../../src/net/smallfile.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-smallfile-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string, mode: number): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const windows = process.platform === 'win32'

test('a file of exactly the bound is read, one byte more is refused', async () => {
  assert.equal((await readSmallFile(file('full', 'a'.repeat(100), 0o600), 100, 'TOKEN_FILE')).text, 'a'.repeat(100))
  await assert.rejects(
    readSmallFile(file('over', 'SECRET'.repeat(20), 0o600), 100, 'TOKEN_FILE'),
    (thrown: unknown) =>
      thrown instanceof TunnelError && thrown.code === 'TOKEN_FILE' && !/SECRET/.test(thrown.message),
  )
})

test('an endless file is left after the bound', { skip: windows }, async () => {
  await assert.rejects(readSmallFile('/dev/zero', 100, 'KEY_FILE'), { code: 'KEY_FILE' })
})

test('what cannot be read is named with the reason', async () => {
  const missing = join(folder, 'missing')
  await assert.rejects(readSmallFile(missing, 100, 'KEY_FILE'), {
    code: 'KEY_FILE',
    message: `cannot read ${missing}: no such file or directory`,
  })
  await assert.rejects(readSmallFile(folder, 100, 'KEY_FILE'), { message: `cannot read ${folder}: it is a directory` })
  await assert.rejects(readSmallFile('a\0b', 100, 'KEY_FILE'), { code: 'KEY_FILE' })
})

test('only a file that others may read has an open mode', { skip: windows }, async () => {
  const modeOf = async (mode: number) => (await readSmallFile(file(`m${mode}`, 'x', mode), 9, 'KEY_FILE')).openMode
  assert.equal(await modeOf(0o600), undefined)
  assert.equal(await modeOf(0o400), undefined)
  assert.equal(await modeOf(0o640), '0640')
  assert.equal(await modeOf(0o604), '0604')
  assert.equal(await modeOf(0o444), '0444')
})

test('a secret that a pod gets through its group is not shared, and what all may read is', () => {
  const pod = { uid: 65_532, gid: 65_532 }
  assert.equal(isShared({ uid: 0, gid: 65_532, mode: 0o440 }, pod), false)
  assert.equal(isShared({ uid: 0, gid: 65_532, mode: 0o444 }, pod), true)
  assert.equal(isShared({ uid: 0, gid: 0, mode: 0o440 }, pod), true)
  assert.equal(isShared({ ...pod, mode: 0o640 }, pod), true, 'their own, which they can close')
  assert.equal(isShared({ ...pod, mode: 0o600 }, pod), false)
})

test('a named pipe is read to its end', { skip: windows }, async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const [read] = await Promise.all([readSmallFile(pipe, 100, 'TOKEN_FILE'), writeFile(pipe, 'through the pipe')])
  assert.deepEqual(read, { text: 'through the pipe' })
})

test('a stream is read whole, across split characters, and no further than its bound', async () => {
  const bytes = Buffer.from('grüße')
  assert.equal(await readSmallStream(Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]), 10), 'grüße')
  assert.equal(await readSmallStream(Readable.from(['ab', 'cd']), 4), 'abcd')
  let taken = 0
  function* endless() {
    for (;;) {
      taken++
      yield Buffer.alloc(10)
    }
  }
  assert.equal(await readSmallStream(Readable.from(endless(), { highWaterMark: 1 }), 25), undefined)
  assert.ok(taken < 10)
})
