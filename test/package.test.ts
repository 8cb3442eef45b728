/** The package as its users get it: what is in the tarball, and that it works from an empty folder. */
import assert from 'node:assert/strict'
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { install, npm, pack } from './support/npm.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly bin: Readonly<Record<string, string>>
  readonly man: string
  readonly engines: { readonly node: string }
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies?: object
}
const manifest = JSON.parse(read('package.json')) as Manifest

/** What esbuild says of each file in dist/. */
type Outputs = Readonly<
  Record<
    string,
    {
      readonly inputs: object
      readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[]
    }
  >
>
const outputs = JSON.parse(read('dist/meta.json')) as Outputs

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-package-'))
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

const packed = pack(folder)

test('the tarball has all that is needed, and nothing that is not', async () => {
  const { files } = await packed
  const wanted = [
    'package.json',
    'README.md',
    'LICENSE',
    'THIRD_PARTY_LICENSES',
    'bin/tunnelctl.js',
    'dist/main.js',
    manifest.man.replace('./', ''),
  ]
  for (const file of wanted) assert.ok(files.includes(file), `${file} is missing`)
  for (const part of ['docs', 'completions', 'man']) {
    const has = existsSync(join(root, part)) && files.some(file => file.startsWith(`${part}/`))
    assert.ok(has, `${part}/ is missing`)
  }
  const top = /^(bin|dist|docs|completions|man)\/|^(package\.json|[A-Z_]+(\.md)?)$/
  assert.deepEqual(
    files.filter(file => !top.test(file)),
    [],
  )
  assert.deepEqual(
    files.filter(file => /(^|\/)(src|test|node_modules|bench)\/|\.(ts|token|key)$/.test(file)),
    [],
  )
})

test('the package says what it needs, and needs no other package', () => {
  assert.equal(manifest.dependencies, undefined)
  assert.equal(manifest.license, 'MIT')
  assert.match(read('LICENSE'), /^MIT License/)
  assert.equal(manifest.engines.node, '>=20.17')
  const [binary = ''] = Object.values(manifest.bin)
  accessSync(join(root, binary), constants.X_OK)
  assert.match(manifest.scripts.prepack ?? '', /build/)
})

test('installed into an empty folder without a network, npx runs it', async () => {
  const { tarball } = await packed
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  await install(tarball, empty)
  assert.equal(await npm('npx', ['--no-install', 'tunnelctl', '--version'], empty), `${manifest.version}\n`)
  assert.match(await npm('npx', ['--no-install', 'tunnelctl', 'connect', '--help'], empty), /Usage: tunnelctl connect/)
  await npm('npx', ['--no-install', 'tunnelctl', 'token', 'keygen', '--out', 'issuer.key'], empty)
  assert.equal(statSync(join(empty, 'issuer.key')).mode & 0o777, process.platform === 'win32' ? 0o666 : 0o600)
  assert.ok(existsSync(join(empty, 'issuer.key.pub')))
})

test('--version loads the entry and nothing of any library', () => {
  const loaded = new Set<string>()
  const load = (path: string): void => {
    if (loaded.has(path)) return
    loaded.add(path)
    for (const { path: next, kind, external } of outputs[path]?.imports ?? []) {
      if (kind === 'import-statement' && external !== true) load(next)
    }
  }
  load('dist/main.js')
  const inputs = [...loaded].flatMap(path => Object.keys(outputs[path]?.inputs ?? {}))
  assert.ok(inputs.includes('src/cli/main.ts'), 'the entry is not where the test looks for it')
  assert.deepEqual(
    inputs.filter(input => input.includes('node_modules')),
    [],
  )
  // The same walk finds the libraries behind the commands, so it would have found them here too.
  const everything = Object.values(outputs).flatMap(output => Object.keys(output.inputs))
  assert.ok(everything.some(input => input.includes('node_modules/commander/')))
})

test('the licence of every bundled package is there, with its text', () => {
  const packages = new Set<string>()
  for (const input of Object.values(outputs).flatMap(output => Object.keys(output.inputs))) {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? []
    if (name !== undefined) packages.add(name)
  }
  assert.ok(packages.has('ws') && packages.has('commander'))
  const sections = read('THIRD_PARTY_LICENSES').split(`\n${'-'.repeat(80)}\n\n`)
  const named = sections.map(section => /^(\S+) \d\S* \([^)]+\)\n\n[\s\S]{100,}/.exec(section)?.[1])
  assert.deepEqual(named.toSorted(), [...packages].sort())
})
