/** What help and README show can be typed: every flag and command in it is one that there is. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import type { Io } from '../../src/cli/io.ts'
import { wholeProgram } from '../../src/cli/program.ts'

const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-examples-'))
after(() => rmSync(folder, { recursive: true }))
const config = join(folder, 'config.yaml')
// Those that the examples name.
writeFileSync(config, 'contexts: { prod: {}, staging: {} }')
const io: Io = { stdin: Readable.from([]), stdout: silent(), stderr: silent(), env: { TUNNELCTL_CONFIG: config } }

function* allOf(command: Command): Iterable<Command> {
  yield command
  for (const child of command.commands) yield* allOf(child)
}

/** Everything of the program but what it does. */
async function inertProgram(): Promise<Command> {
  const program = await wholeProgram(io)
  for (const command of allOf(program)) if (command.commands.length === 0) command.action(() => {})
  return program
}

/** As a shell would, as far as these examples need one. */
function words(line: string): string[] {
  const found = line.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? []
  return found.map(word => word.replace(/['"]/g, '')).filter(word => word !== '...' && word !== '…')
}

/** The arguments of each `tunnelctl` in a text, up to what the shell or the reader takes for itself. */
function commandLines(text: string): string[][] {
  return [...text.matchAll(/(?<![\w./-])tunnelctl ([a-z][^\n|`]*)/g)].flatMap(([, rest = '']) => {
    const line = rest.split(/ {3,}(?![ -])| > |; |\)|'? me@| …/)[0] ?? ''
    const args = words(line)
    const dashes = args.indexOf('--')
    return [dashes < 0 ? args : args.slice(0, dashes)]
  })
}

/** Prose about commands is no command line. */
const names = async (): Promise<Set<string>> =>
  new Set((await wholeProgram(io)).commands.map(command => command.name()))

async function check(text: string, where: string): Promise<number> {
  const known = await names()
  let checked = 0
  for (const args of commandLines(text)) {
    if (!known.has(args[0] ?? '')) continue
    const program = await inertProgram()
    await assert.doesNotReject(program.parseAsync(args, { from: 'user' }), `${where}: tunnelctl ${args.join(' ')}`)
    checked++
  }
  return checked
}

test('the examples in help are command lines of this program', async () => {
  let checked = 0
  for (const command of allOf(await wholeProgram(io))) {
    let help = ''
    command.configureOutput({ writeOut: text => (help += text) })
    command.outputHelp()
    const examples = help.slice(help.search(/^(Examples|Targets)/m))
    checked += await check(examples, command.name())
  }
  assert.ok(checked > 25, `${checked} examples were found`)
})

test('those in the README too', async () => {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')
  const checked = await check(readme, 'README.md')
  assert.ok(checked > 20, `${checked} examples were found`)
})
