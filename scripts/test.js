// Runs every test, or the files and flags given: `npm test -- test/mux/stream.test.ts --test-name-pattern=credit`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const given = process.argv.slice(2)
const flags = given.filter(argument => argument.startsWith('-'))
const files = given.filter(argument => !argument.startsWith('-'))

// These start the program or look at the whole tree: each gets a process of its own. All others share one.
const alone = file => /^test\/(e2e\/|sim\/|security\/|cli\/[^/]+$|[^/]+$)/.test(file)
const all = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.test.ts'))
  .map(file => `test/${file.replaceAll('\\', '/')}`)
  .sort()
const run = files.length > 0 ? files : [...all.filter(alone), 'test/unit.ts']

// What failed is told once more at the end, where it is seen.
const reporter = flags.some(flag => flag.startsWith('--test-reporter')) ? [] : ['--test-reporter=spec']

// Three at a time, for many of them wait for processes, and for time to pass.
const { status } = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-timeout=120000', '--test-concurrency=3', ...reporter, ...flags, ...run],
  { cwd: root, stdio: 'inherit', env: { ...process.env, UNIT_TESTS: all.filter(file => !alone(file)).join('\n') } },
)
process.exit(status ?? 1)
