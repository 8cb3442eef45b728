import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Config } from '../../src/cli/config/config.ts'
import { configFile } from '../../src/cli/config/paths.ts'

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'tunnelctl-config-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const written = `# mine
current: prod # the one
contexts:
  # the real thing
  prod:
    gateway: wss://gateway.example.com
    token-file: tokens/prod.token
  staging: { gateway: wss://staging.example.com, agent: blue }
`

async function loaded(t: TestContext, text = written): Promise<Config> {
  const file = join(folder(t), 'config.yaml')
  writeFileSync(file, text)
  return await Config.load(file)
}

test('it lies where XDG says, under ~/.config otherwise, or where the environment says', () => {
  assert.equal(configFile({ XDG_CONFIG_HOME: '/x', HOME: '/home/me' }), '/x/tunnelctl/config.yaml')
  assert.equal(configFile({ XDG_CONFIG_HOME: 'x', HOME: '/home/me' }), '/home/me/.config/tunnelctl/config.yaml')
  assert.equal(configFile({ HOME: '/home/me' }), '/home/me/.config/tunnelctl/config.yaml')
  assert.equal(configFile({ TUNNELCTL_CONFIG: '/y.yaml', XDG_CONFIG_HOME: '/x' }), '/y.yaml')
})

test('contexts are read, and their paths are those beside the file', async t => {
  const config = await loaded(t)
  assert.deepEqual([config.current, config.names], ['prod', ['prod', 'staging']])
  assert.deepEqual(config.context('prod'), {
    gateway: 'wss://gateway.example.com',
    'token-file': join(config.file, '../tokens/prod.token'),
  })
  assert.deepEqual(config.context('staging'), { gateway: 'wss://staging.example.com', agent: 'blue' })
  assert.throws(() => config.context('dev'), { code: 'USAGE', hint: 'there are: prod, staging' })
})

test('edits keep comments and order, and the file is of this user alone', async t => {
  const config = await loaded(t)
  config.set('dev', { gateway: 'ws://127.0.0.1:8080' })
  config.set('prod', { ...config.context('prod'), namespace: 'shop', 'token-file': '/t' })
  config.rename('prod', 'live')
  config.use('dev')
  config.remove('staging')
  await config.save()
  assert.equal(
    readFileSync(config.file, 'utf8'),
    `# mine
current: dev # the one
contexts:
  # the real thing
  live:
    gateway: wss://gateway.example.com
    token-file: /t
    namespace: shop
  dev:
    gateway: ws://127.0.0.1:8080
`,
  )
  assert.equal(statSync(config.file).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(join(config.file, '..')), ['config.yaml'])
})

test('a context that is renamed or removed takes its place as the current one with it', async t => {
  const config = await loaded(t)
  config.rename('prod', 'live')
  assert.equal(config.current, 'live')
  assert.throws(() => config.rename('live', 'staging'), { code: 'USAGE' })
  assert.throws(() => config.rename('gone', 'x'), { code: 'USAGE' })
  config.remove('live')
  assert.equal(config.current, undefined)
  assert.throws(() => config.remove('live'), { code: 'USAGE' })
})

test('without a file there is nothing, and the first edit makes it with its folder', async t => {
  const config = await Config.load(join(folder(t), 'deep/er/config.yaml'))
  assert.deepEqual([config.current, config.names], [undefined, []])
  config.set('a', { gateway: 'wss://a' })
  config.use('a')
  await config.save()
  assert.deepEqual((await Config.load(config.file)).names, ['a'])
  assert.equal(statSync(join(config.file, '..')).mode & 0o777, 0o700)
})

test('what is malformed is told with the file and the place, in one line', async t => {
  for (const [text, why] of [
    ['contexts: [', /is malformed: /],
    ['- a', /the file is not a map/],
    ['contexts: 5', /contexts is not a map/],
    ['contexts:\n  a: 5', /context a is not a map/],
    ['contexts:\n  a:\n    gatewy: x', /"gatewy" in context a means nothing: known are gateway, /],
    ['contexts:\n  a:\n    gateway: 5', /gateway in context a is not text/],
    ['contexts:\n  "a b": {}', /"a b" is not a name for a context/],
    ['contxts: {}', /"contxts" means nothing/],
    ['current: [a]', /current is not a name/],
    [`x: ${'a'.repeat(300_000)}`, /over 256 KiB/],
  ] as const) {
    await assert.rejects(
      loaded(t, text),
      (error: Error) => why.test(error.message) && !error.message.includes('\n'),
      text,
    )
  }
})
