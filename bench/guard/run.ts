/** `npm run bench:guard`: measures, compares with the baseline, or makes it anew. */
import { parseArgs } from 'node:util'
import { type Baseline, incomparable, readBaseline, renewed, type Setting, writeBaseline } from './baseline.ts'
import { valgrindVersion } from './callgrind.ts'
import { Guard, units } from './measure.ts'
import { formatTable } from './table.ts'
import { failed, judge } from './verdict.ts'

const help = `Counts the instructions of small fixed workloads, and compares them with bench/guard/baseline.json.

npm run bench:guard -- [options]
  --write      renew the baseline: figures from --runs runs, tolerances as they were
  --runs N     runs for the baseline (default 3)
  --help
Needs valgrind. Exit code: 0, 1 when something is slower than its tolerance, 2 usage, or it cannot be measured.
`

process.exitCode = await main()

async function main(): Promise<number> {
  let options: { write: boolean; runs: number; help: boolean }
  try {
    options = parse()
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\nsee npm run bench:guard -- --help`)
  }
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  const valgrind = valgrindVersion()
  if (valgrind === undefined) return refuse('valgrind is not installed: apt-get install valgrind')
  const setting = { node: process.version, arch: process.arch, valgrind }
  const guard = new Guard()
  process.on('exit', () => guard.close())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
  try {
    await guard.open()
    return options.write ? await write(guard, setting, options.runs) : await compare(guard, setting)
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

async function compare(guard: Guard, setting: Setting): Promise<number> {
  const baseline = readBaseline()
  const why = incomparable(baseline.made, setting)
  if (why !== undefined) {
    process.stdout.write(`not compared: ${why}\n`)
    return 0
  }
  const figures = await guard.measure(units.keys())
  // Once more, and the smaller counts: no disturbance makes a process do less.
  const slower = judge(figures, baseline).filter(({ judgement }) => judgement === 'slower')
  for (const [id, again] of await guard.measure(slower.map(({ id }) => id)))
    figures.set(id, Math.min(again, figures.get(id) ?? again))
  const verdicts = judge(ordered(figures), baseline)
  process.stdout.write(formatTable(verdicts, units))
  return failed(verdicts) ? 1 : 0
}

async function write(guard: Guard, setting: Setting, runs: number): Promise<number> {
  const all: ReadonlyMap<string, number>[] = []
  for (let run = 0; run < runs; run++) all.push(await guard.measure(units.keys()))
  const made = { ...setting, date: new Date().toISOString().slice(0, 10), runs }
  const before = existing()
  const baseline = renewed(all, units, made, before)
  writeBaseline(baseline)
  const figures = Object.entries(baseline.entries).map(([id, { figure }]) => [id, figure] as const)
  process.stdout.write(formatTable(judge(new Map(figures), before ?? { made, entries: {} }), units))
  return 0
}

function existing(): Baseline | undefined {
  try {
    return readBaseline()
  } catch {
    return undefined
  }
}

/** As the table has them. */
function ordered(figures: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...units.keys()].flatMap(id => (figures.has(id) ? [[id, figures.get(id) ?? 0]] : [])))
}

function parse(): { write: boolean; runs: number; help: boolean } {
  const { values } = parseArgs({
    options: {
      write: { type: 'boolean', default: false },
      runs: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  })
  const runs = Number(values.runs)
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${values.runs}: give a whole number from 1 on`)
  return { ...values, runs }
}

function refuse(why: string): number {
  process.stderr.write(`${why}\n`)
  return 2
}
