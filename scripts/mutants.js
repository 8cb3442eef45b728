// Grades the tests: puts deliberate bugs into copies of the tree, one at a time, and sees whether the tests notice.
//
//   node scripts/mutants.js [--only TEXT]   each bug, until the first suite notices
//   node scripts/mutants.js --write         each bug against every suite, and the table in docs/testing.md anew
//
// Exits with 1 when a bug goes unnoticed, or when the text that it changes is not there exactly once.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as attaching from './mutants/attaching.js'
import * as gateway from './mutants/gateway.js'
import * as limits from './mutants/limits.js'
import * as memory from './mutants/memory.js'
import * as numbering from './mutants/numbering.js'
import * as streams from './mutants/streams.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const areas = [numbering, attaching, streams, gateway, memory, limits]

/**
 * In the order in which they are tried. `sign` is what the output shows at the first failure, and tells what it was; the rest
 * is not waited for.
 */
const suites = [
  {
    name: 'simulator',
    args: ['test/sim/run.ts', '--count', '300'],
    sign: /--(seed \d+)\s/,
  },
  {
    name: 'cuts',
    args: ['test/sim/cuts.test.ts'],
    env: { STRIDE: '40' },
    sign: /CUTS='([^']*)'/,
  },
  {
    name: 'unit tests',
    args: ['test/unit.ts'],
    env: { UNIT_TESTS: unitTests().join('\n') },
  },
  {
    name: 'bulk',
    args: ['test/e2e/bulk.test.ts'],
  },
]

/** A bug may make a test run for ever: it may take this much longer than without one. */
const PATIENCE = 6
const PATIENCE_MS = 30_000
const JOBS = Math.min(2, availableParallelism())

const { values: flags } = parseArgs({
  options: { only: { type: 'string' }, write: { type: 'boolean', default: false } },
})
setPriority(10)

const mutants = areas
  .flatMap(area => area.mutants.map(mutant => ({ ...mutant, area: area.title })))
  .filter(({ name }) => flags.only === undefined || name.includes(flags.only))
const problems = mutants.flatMap(mutant => {
  const found = read(mutant).split(mutant.from).length - 1
  return found === 1 ? [] : [`${mutant.name}: its text is in ${mutant.file} ${found} times`]
})
const copies = []
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const verdicts = new Map()
const survivors = []
if (problems.length === 0) {
  await withoutBugs()
  const waiting = [...mutants]
  await Promise.all(Array.from({ length: JOBS }, () => work(waiting)))
}

for (const problem of problems) say(problem)
if (problems.length > 0) process.exit(1)
say(`${mutants.length - survivors.length} of ${mutants.length} bugs were noticed`)
if (flags.write) writeTable()
process.exit(survivors.length > 0 ? 1 : 0)

/** Nothing may fail without a bug, or no verdict means anything. It also tells how long the suites take here. */
async function withoutBugs() {
  const copy = copyOfTree()
  for (const suite of suites) {
    const { failure, seconds } = await run(suite, copy)
    if (failure !== undefined) problems.push(`${suite.name}: ${failure} without any bug`)
    suite.limitMs = PATIENCE_MS + PATIENCE * seconds * 1000
    say(`no bug: ${suite.name}, ${seconds.toFixed(1)} s`)
  }
}

async function work(waiting) {
  const copy = copyOfTree()
  for (let mutant = waiting.shift(); mutant !== undefined && problems.length === 0; mutant = waiting.shift()) {
    writeFileSync(
      join(copy, mutant.file),
      read(mutant).replace(mutant.from, () => mutant.to),
    )
    const told = []
    for (const suite of suites) {
      const { failure, seconds } = await run(suite, copy)
      told.push(failure)
      if (failure !== undefined) say(`${mutant.name}: ${suite.name}, ${failure}, ${seconds.toFixed(1)} s`)
      if (failure !== undefined && !flags.write) break
    }
    if (told.every(failure => failure === undefined)) {
      survivors.push(mutant.name)
      say(`${mutant.name}: NOT NOTICED`)
    }
    verdicts.set(mutant, told)
    writeFileSync(join(copy, mutant.file), read(mutant))
  }
}

/** Resolves with what noticed the bug, or undefined when the suite passed. */
function run(suite, copy) {
  const started = performance.now()
  const child = spawn(process.execPath, ['--import', 'tsx', ...suite.args], {
    cwd: copy,
    env: { ...process.env, ...suite.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let output = ''
  let ended = 'failed'
  const end = reason => {
    ended = reason
    child.kill('SIGKILL')
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text
      if (suite.sign?.test(output)) end('failed')
    })
  }
  const limit = suite.limitMs && setTimeout(end, suite.limitMs, 'does not end')
  return new Promise(resolve => {
    child.on('close', code => {
      clearTimeout(limit)
      children.delete(child)
      const seconds = (performance.now() - started) / 1000
      resolve({ failure: code === 0 ? undefined : (toldBy(suite, output) ?? ended), seconds })
    })
  })
}

function toldBy({ sign }, output) {
  const failed = output.match(/^ *not ok \d/gm)?.length
  const [, first] = sign?.exec(output) ?? []
  if (first !== undefined) return first || 'without a cut'
  return failed && `${failed} failed`
}

function copyOfTree() {
  const copy = mkdtempSync(join(tmpdir(), 'mutants-'))
  copies.push(copy)
  for (const name of ['src', 'test', 'docs', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  return copy
}

function unitTests() {
  const mux = readdirSync(join(root, 'test/mux')).filter(file => file.endsWith('.test.ts'))
  const others = {
    gateway: ['acl', 'auth', 'client-certificates', 'hop', 'news', 'pace', 'reception', 'registry', 'relay'],
    'gateway/ingress': ['arrivals'],
    agent: ['dial-queue', 'policy', 'resolver', 'vain'],
    carrier: ['framing', 'liveness', 'websocket'],
    net: ['bucket'],
    wire: ['batch', 'frame'],
  }
  return [
    ...mux.map(file => `test/mux/${file}`),
    ...Object.entries(others).flatMap(([folder, names]) => names.map(name => `test/${folder}/${name}.test.ts`)),
  ]
}

function read({ file }) {
  return readFileSync(join(root, file), 'utf8')
}

function writeTable() {
  const page = join(root, 'docs/testing.md')
  const row = cells => `| ${cells.join(' | ')} |`
  const rows = areas.flatMap(({ title }) => [
    '',
    `### ${title}`,
    '',
    row(['deliberate bug', ...suites.map(({ name }) => name)]),
    row(['---', ...suites.map(() => '---')]),
    ...mutants
      .filter(({ area }) => area === title)
      .map(mutant => row([mutant.name, ...verdicts.get(mutant).map(told => told ?? '–')])),
  ])
  const [before, after] = readFileSync(page, 'utf8').split(/(?<=<!-- mutants -->\n)[\s\S]*(?=<!-- end of mutants -->)/)
  writeFileSync(page, `${before}${rows.join('\n')}\n\n${after}`)
}

function say(line) {
  process.stdout.write(`${line}\n`)
}
