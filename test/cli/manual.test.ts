/** man/tunnelctl.1 says what the program does, in roff that nobody complains about. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { manualPage } from '../../src/cli/manual/page.ts'
import { wholeProgram } from '../../src/cli/program.ts'
import { errorCodes, TunnelError } from '../../src/errors.ts'
import { findProgram, realTest, run } from '../support/servers.ts'

const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url))
const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
const program = await wholeProgram({ stdin: Readable.from([]), stdout: silent(), stderr: silent(), env: {} })
const file = pathOf('man/tunnelctl.1')
const page = readFileSync(file, 'utf8')

const allOf = (command: Command): Command[] => [command, ...command.commands.flatMap(allOf)]
const nameOf = (command: Command): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`

/** As a reader sees the words, without their faces. */
const plain = page
  .replace(/\\f[BIR]|\\%|\\&/g, '')
  .replace(/\\-/g, '-')
  .replace(/\\\(aq/g, "'")
  .replace(/\\e/g, '\\')

/** From its heading to the next one. */
function part(kind: 'SH' | 'SS', title: string): string {
  const [, text] = plain.split(`\n.${kind} ${title}\n`)
  return text?.split(kind === 'SH' ? /^\.SH /m : /^\.S[HS] /m)[0] ?? assert.fail(`there is no ${title}`)
}

test('the page is what the command tree makes of itself, whatever the day', () => {
  const { version } = JSON.parse(readFileSync(pathOf('package.json'), 'utf8')) as { version: string }
  const [, date = ''] = /^\.TH TUNNELCTL 1 "(\d{4}-\d\d-\d\d)"/m.exec(page) ?? []
  assert.equal(page, manualPage(program, { version, date }), 'man/tunnelctl.1 is out of date: npm run man')
})

test('every command has a part of its own, with all of its options there or among the common ones', () => {
  const common = part('SH', 'COMMON OPTIONS')
  for (const command of allOf(program).filter(({ commands }) => commands.length === 0)) {
    const own = part('SS', nameOf(command))
    for (const { long } of command.createHelp().visibleOptions(command)) {
      const described = new RegExp(`^\\.TP\n(-\\w, )?${long}\\b`, 'm')
      assert.ok(described.test(own) || described.test(common), `${nameOf(command)} ${long}`)
      if (!described.test(own) && long !== '--help') assert.ok(own.includes(long ?? ''), `${nameOf(command)} ${long}`)
    }
    for (const { long, hidden } of command.options) if (hidden) assert.ok(!own.includes(`${long}\n`), long)
  }
})

test('every way to fail is told at the exit status that it has', () => {
  const statuses = new Map(
    part('SH', 'EXIT STATUS')
      .split('.TP\n')
      .map(entry => [entry.split('\n')[0], entry] as const),
  )
  for (const code of errorCodes) {
    const status = String(new TunnelError(code, '').exitCode)
    assert.match(statuses.get(status) ?? '', new RegExp(`\\b${code}\\b`), `${code} ends with ${status}`)
  }
})

test('no line is one that roff would take for a request by mistake, and none is longer than a terminal', () => {
  for (const line of page.split('\n').filter(each => /^[.']/.test(each))) {
    assert.match(line, /^\.(\\" |TH |SH |SS |TP$|PP$|RS 4$|RE$|EX$|EE$|nf$|fi$|ad l$)/)
  }
  for (const example of plain.matchAll(/^\.EX\n(.*?)^\.EE$/gms)) {
    for (const line of (example[1] ?? '').split('\n')) assert.ok(line.length <= 67, line)
  }
})

const checker = findProgram('mandoc') === undefined ? 'groff' : 'mandoc'
const args = checker === 'mandoc' ? ['-Tlint', file] : ['-man', '-ww', '-z', file]
realTest(`${checker} has nothing to complain about`, { programs: [checker], packages: 'groff-base' }, async t => {
  const { stdout, stderr } = await run(t, checker, args)
  assert.equal(stdout + stderr, '')
})
