// Runs every test, or the files and flags given: `npm test -- test/mux/stream.test.ts --test-name-pattern=credit`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const given = process.argv.slice(2)
const files = given.filter(argument => !argument.startsWith('-'))
if (files.length === 0) {
  for (const entry of readdirSync(join(root, 'test'), { recursive: true })) {
    if (entry.endsWith('.test.ts')) files.push(join('test', entry))
  }
}
const flags = [
  '--import',
  'tsx',
  '--test',
  '--test-timeout=120000',
  ...given.filter(argument => argument.startsWith('-')),
]
const { status } = spawnSync(process.execPath, [...flags, ...files.sort()], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
