// Makes man/tunnelctl.1 anew from the command tree: node --import tsx scripts/man.js
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { manualPage } from '../src/cli/manual/page.ts'
import { wholeProgram } from '../src/cli/program.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const program = await wholeProgram(process)
const file = new URL('../man/tunnelctl.1', import.meta.url)
const old = existsSync(file) ? readFileSync(file, 'utf8') : ''
const [, date = ''] = /^\.TH \S+ 1 "([0-9-]+)"/m.exec(old) ?? []
// The date is that of the last change, and not of the last run.
if (old !== manualPage(program, { version, date })) {
  mkdirSync(new URL('.', file), { recursive: true })
  writeFileSync(file, manualPage(program, { version, date: new Date().toISOString().slice(0, 10) }))
}
