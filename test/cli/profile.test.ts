import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { profileArguments } from '../../src/cli/config/profile.ts'

function folderWith(t: TestContext, text: string): string {
  const made = mkdtempSync(join(tmpdir(), 'tunnelctl-profile-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  writeFileSync(join(made, 'tunnelctl.yaml'), text)
  return made
}

const team = `
# what the shop needs
forwards: [db/prod:5432, 6380:cache/prod:6379]
namespace: shop
profiles:
  staging:
    context: staging
    agent: blue
    socks5: 1080
  odd: { forwards: ["unix:/tmp/x:db/prod:5432", "[::1]:5433:db/prod:5432"] }
`

test('the top of the file and its profiles become arguments of connect', async t => {
  const folder = folderWith(t, team)
  const args = async (name?: string) => (await profileArguments(name, { folder })).args
  assert.deepEqual(await args(), ['--namespace=shop', 'db/prod:5432', '6380:cache/prod:6379'])
  assert.deepEqual(await args('staging'), ['--context=staging', '--agent=blue', '--socks5=1080'])
  assert.deepEqual(await args('odd'), ['unix:/tmp/x:db/prod:5432', '[::1]:5433:db/prod:5432'])
  await assert.rejects(args('live'), { code: 'USAGE', hint: 'there are: staging, odd' })
})

test('the nearest file upwards is the one, unless another is named', async t => {
  const folder = folderWith(t, team)
  const deep = join(folder, 'a/b')
  mkdirSync(deep, { recursive: true })
  assert.equal((await profileArguments(undefined, { folder: deep })).file, join(folder, 'tunnelctl.yaml'))
  const other = folderWith(t, 'forwards: [x/y:1]')
  const file = join(other, 'tunnelctl.yaml')
  assert.deepEqual(await profileArguments(undefined, { folder: deep, file }), { file, args: ['x/y:1'] })
  await assert.rejects(profileArguments(undefined, { folder: '/' }), /there is no tunnelctl\.yaml here/)
})

test('a committed file opens loopback only, runs nothing and gives no flag but its own', async t => {
  for (const [text, why] of [
    [
      'forwards: ["0.0.0.0:5432:db/prod:5432"]',
      /would listen on "0\.0\.0\.0", and a committed file may open loopback only/,
    ],
    ['socks5: "0.0.0.0:1080"', /would listen on "0\.0\.0\.0"/],
    ['forwards: ["--token-file=/etc/passwd"]', /is not a target/],
    ['forwards: ["--", sh]', /"--" in the file is not a target/],
    ['{ forwards: [a/b:1], token-file: x }', /"token-file" in the file means nothing: known are forwards, context/],
    ['{ forwards: [a/b:1], address: 0.0.0.0 }', /"address" in the file means nothing/],
    ['forwards: db/prod:5432', /forwards in the file is not a list/],
    ['forwards: [{a: 1}]', /a forward in the file is not text/],
    ['namespace: prod', /the file has no forwards/],
    ['- a', /the file is not a map/],
    ['forwards: [', /is malformed/],
    ['forwards: [nonsense]', /malformed target "nonsense"/],
  ] as const) {
    const folder = folderWith(t, text)
    await assert.rejects(
      profileArguments(undefined, { folder }),
      (error: Error) => why.test(error.message) && !error.message.includes('\n'),
      text,
    )
  }
})
