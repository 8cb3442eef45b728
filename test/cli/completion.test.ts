import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { completionScript } from '../../src/cli/completion/generate.ts'
import { type Shell, scriptFiles, shells } from '../../src/cli/completion/shells.ts'
import { completedCommands } from '../../src/cli/completion/tree.ts'
import type { Io } from '../../src/cli/io.ts'
import { runProgram, wholeProgram } from '../../src/cli/program.ts'

class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

function io(): Io & { readonly stdout: Sink; readonly stderr: Sink } {
  return { stdin: Readable.from([]), stdout: new Sink(), stderr: new Sink(), env: {} }
}

const program = await wholeProgram(io())
const fileOf = (shell: Shell) => fileURLToPath(new URL(`../../completions/${scriptFiles[shell]}`, import.meta.url))
const run = promisify(execFile)

/** Skips the test where the shell is not installed. */
function installed(t: TestContext, shell: string): boolean {
  const found = spawnSync(shell, ['--version']).error === undefined
  if (!found) t.skip(`${shell} is not installed`)
  return found
}

test('the scripts in completions/ are what the command tree makes of itself', () => {
  for (const shell of shells) {
    assert.equal(
      readFileSync(fileOf(shell), 'utf8'),
      completionScript(shell, program),
      `${scriptFiles[shell]} is out of date: node --import tsx scripts/completions.js`,
    )
  }
})

test('tunnelctl completion prints the script of each shell, and nothing else', async () => {
  for (const shell of shells) {
    const streams = io()
    assert.equal(await runProgram(['completion', shell], streams), 0)
    assert.equal(streams.stdout.text, readFileSync(fileOf(shell), 'utf8'))
    assert.equal(streams.stderr.text, '')
  }
})

test('another shell is a usage error that names those there are', async () => {
  const streams = io()
  assert.equal(await runProgram(['completion', 'tcsh'], streams), 2)
  assert.match(streams.stderr.text, /^tunnelctl: .*bash, zsh, fish, powershell.*\n$/)
  assert.equal(streams.stdout.text, '')
})

test('every command is completed, and nothing that help hides', () => {
  const paths = completedCommands(program).map(({ path }) => path)
  for (const path of ['', 'connect', 'agent', 'gateway', 'token', 'token create', 'demo', 'completion']) {
    assert.ok(paths.includes(path), path)
  }
  const flags = completedCommands(program).flatMap(({ flags }) => flags.flatMap(({ names }) => names))
  for (const hidden of ['--serve', '--token']) assert.ok(!flags.includes(hidden), hidden)
})

test('what only a running program knows is asked for by its kind', () => {
  const kinds = new Map(completedCommands(program).map(({ path, live }) => [path, live]))
  const asked = ['connect', 'doctor', 'stop', 'logs', 'ps', 'up', 'context use', 'context rename', 'token create']
  assert.deepEqual(
    asked.map(path => kinds.get(path)),
    ['targets', 'targets', 'detached', 'detached', undefined, undefined, 'contexts', 'contexts', undefined],
  )
})

test('help names every choice of an option, and fits a terminal of 80 columns', () => {
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)]
  for (const command of all(program)) {
    const help = command.createHelp()
    help.helpWidth = 80
    for (const line of help.formatHelp(command, help).split('\n')) assert.ok(line.length <= 80, line)
    for (const { description, argChoices = [] } of command.options) {
      for (const choice of argChoices) assert.match(description, new RegExp(`\\b${choice}\\b`))
    }
  }
})

test('printing a script loads commander, and no other package', () => {
  const meta = fileURLToPath(new URL('../../dist/meta.json', import.meta.url))
  const outputs = JSON.parse(readFileSync(meta, 'utf8')) as Record<string, Output>
  const loaded = new Set<string>()
  const load = (file: string) => {
    if (loaded.has(file)) return
    loaded.add(file)
    for (const { path, kind } of outputs[file]?.imports ?? []) if (kind === 'import-statement') load(path)
  }
  for (const file of Object.keys(outputs)) if (/^dist\/(main|program-\w+|completion-\w+)\.js$/.test(file)) load(file)
  assert.ok(loaded.size > 3)
  const inputs = [...loaded].flatMap(file => Object.keys(outputs[file]?.inputs ?? {}))
  const packages = new Set(inputs.flatMap(input => /node_modules\/([^/]+)/.exec(input)?.[1] ?? []))
  assert.deepEqual([...packages], ['commander'])
})

interface Output {
  readonly imports: readonly { readonly path: string; readonly kind: string }[]
  readonly inputs: Readonly<Record<string, object>>
}

test('each script is one that its shell can read', async t => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    await t.test(shell, async t => {
      if (installed(t, shell)) await run(shell, ['-n', fileOf(shell)])
    })
  }
})

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-completion-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'my own.token'), '')
writeFileSync(join(folder, 'other'), '')
// What it would tell of the gateway is test/e2e/live-completion.test.ts.
const bin = mkdtempSync(join(tmpdir(), 'tunnelctl-completion-bin-'))
after(() => rmSync(bin, { recursive: true }))
writeFileSync(join(bin, 'tunnelctl'), '#!/bin/sh\n', { mode: 0o755 })
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }

/** What bash offers at the end of these words, as its readline would split them. */
async function bash(...words: string[]): Promise<string[]> {
  const script = `
    set -u
    source "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _tunnelctl
    [[ \${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "\${COMPREPLY[@]}"
  `
  const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', fileOf('bash'), 'tunnelctl', ...words], {
    cwd: folder,
    env,
  })
  return stdout.split('\n').filter(line => line !== '')
}

/** What a line gets offered: the words before the last are typed, the last is begun. */
const cases: readonly [words: readonly string[], offered: readonly string[]][] = [
  [
    [''],
    [
      'agent',
      'agents',
      'completion',
      'config',
      'connect',
      'context',
      'demo',
      'doctor',
      'gateway',
      'login',
      'logs',
      'manifests',
      'open',
      'ps',
      'services',
      'stop',
      'token',
      'up',
    ],
  ],
  [['co'], ['completion', 'config', 'connect', 'context']],
  [['--v'], ['--version']],
  [
    ['connect', '--st'],
    ['--stats-interval', '--stdio'],
  ],
  [['connect', 'db/prod:5432', '--qu'], ['--quiet']],
  [
    ['connect', '-o', ''],
    ['json', 'text'],
  ],
  [['connect', '--output', 'j'], ['json']],
  [['connect', '--gateway', ''], []],
  [['connect', ''], []],
  [['connect', 'a/b:1', '--', 'psql', '--'], []],
  [
    ['connect', '--token-file', ''],
    ['my own.token', 'other'],
  ],
  [['gateway', '--tls-key', 'o'], ['other']],
  [
    ['token', ''],
    ['check', 'create', 'inspect', 'keygen'],
  ],
  [
    ['manifests', ''],
    ['agent', 'gateway'],
  ],
  [
    ['manifests', 'gateway', '--ingress', 'g'],
    ['gateway-api', 'gke'],
  ],
  [['token', 'create', '--role', 'a'], ['agent']],
  [['token', 'create', '--su'], ['--subject']],
  [['agent', '--log-level', 'de'], ['debug']],
  [['completion', 'po'], ['powershell']],
  [['demo', '--k'], ['--keep']],
  [['stop', '--a'], ['--all']],
  [['logs', ''], []],
]

test('bash offers commands, flags, values and files, each at its place', async t => {
  if (!installed(t, 'bash')) return
  for (const [words, offered] of cases) {
    assert.deepEqual((await bash(...words)).toSorted(), offered, `tunnelctl ${words.join(' ')}`)
  }
  const flags = await bash('connect', '--')
  for (const flag of ['--gateway', '--token-file', '--stdio', '--output', '--help'])
    assert.ok(flags.includes(flag), flag)
  assert.ok(!flags.includes('--verify-key'))
})

test('bash offers a value behind "=" too, which it takes for a word of its own', async t => {
  if (!installed(t, 'bash')) return
  assert.deepEqual(await bash('connect', '--output', '=', ''), ['text', 'json'])
  assert.deepEqual(await bash('connect', '--output', '='), ['text', 'json'])
  assert.deepEqual(await bash('connect', '--output', '=', 'j'), ['json'])
})

test('fish offers the same', async t => {
  if (!installed(t, 'fish')) return
  for (const [words, offered] of cases) {
    const line = ['tunnelctl', ...words].join(' ')
    const args = ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', fileOf('fish'), line]
    const { stdout } = await run('fish', args, { cwd: folder, env })
    const found = stdout.split('\n').filter(row => row !== '')
    assert.deepEqual(found.map(row => row.split('\t')[0]).toSorted(), offered, line)
  }
})
