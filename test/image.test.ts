/** The image, without a daemon to build it: every step of the Dockerfile finds what it needs, and what it starts is there. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { npm } from './support/npm.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const steps: readonly (readonly string[])[] = read('Dockerfile')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter(line => /^[A-Z]+ /.test(line))
  .map(line => line.split(/ +/))
const words = (step: string): readonly (readonly string[])[] => steps.filter(([name]) => name === step)
const listed = (step: string): readonly string[] =>
  JSON.parse(words(step)[0]?.slice(1).join(' ') ?? 'null') as readonly string[]
/** What the daemon is sent: all of it is named in .dockerignore. */
const sent = [...read('.dockerignore').matchAll(/^!(\S+)$/gm)].map(([, name = '']) => name)

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-image-'))
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

test('everything that is copied is there, and is sent to the daemon', () => {
  assert.match(read('.dockerignore'), /^\*$/m)
  for (const name of sent) assert.ok(existsSync(join(root, name)), name)
  const copied = words('COPY').filter(each => !each.some(word => word.startsWith('--from=')))
  assert.ok(copied.length > 0)
  for (const name of copied.flatMap(each => each.slice(1, -1))) assert.ok(name === '.' || sent.includes(name), name)
})

test('the package that is built from what is sent has what the image starts', async () => {
  for (const name of sent) cpSync(join(root, name), join(folder, name), { recursive: true })
  // In place of npm ci, which asks a registry.
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  await npm('npm', ['pack', '--silent'], folder)
  const [tarball = ''] = readdirSync(folder).filter(name => name.endsWith('.tgz'))
  const app = join(folder, 'app')
  mkdirSync(app)
  await promisify(execFile)('tar', ['-xzf', join(folder, tarball), '-C', app, '--strip-components=1'])
  const [node, script = ''] = listed('ENTRYPOINT')
  assert.equal(node, '/nodejs/bin/node', 'where the distroless images have it')
  assert.match(script, /^\/app\//)
  const started = join(folder, script)
  for (const args of [['--version'], ['agent', '--help'], ['gateway', '--help'], listed('CMD')]) {
    const { stdout } = await promisify(execFile)(process.execPath, [started, ...args], { cwd: '/', env: {} })
    assert.notEqual(stdout, '')
  }
})

test('it runs as nobody in particular, as the pods say too, and opens their ports', () => {
  const [, user] = words('USER')[0] ?? []
  assert.equal(user, '65532:65532')
  const pods = read('test/cli/manifests/gateway.yaml')
  assert.ok(pods.includes('runAsUser: 65532'))
  const exposed = words('EXPOSE')[0]?.slice(1) ?? []
  assert.ok(exposed.length > 0)
  for (const port of exposed) assert.ok(pods.includes(`containerPort: ${port}`), port)
  assert.equal(words('RUN').length, 2, 'there is no shell in the last stage')
  const [last] = words('FROM').slice(-1)
  assert.ok(steps.findLastIndex(([name]) => name === 'RUN') < steps.indexOf(last ?? []))
})
