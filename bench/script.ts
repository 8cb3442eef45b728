/** What the scripts of the bench do the same way: how they begin and end, and where what they say goes. */
import { writeFileSync } from 'node:fs'
import { commandLine } from './command.ts'
import type { Comparison } from './comparison.ts'
import type { Contender } from './contenders/contender.ts'
import { tunnelctlProgram } from './contenders/tunnelctl.ts'
import { describeMachine, describeVersions } from './machine.ts'
import { formatJson, formatText, type Setting } from './report.ts'
import type { Tools } from './tools.ts'

/** What every plan has. */
interface Planned {
  readonly contenders: readonly Contender[]
  readonly tools: Tools
  readonly rounds: number
  readonly seconds: number
  readonly idle: number
}

interface Script<P extends Planned> {
  /** Of package.json. */
  readonly name: string
  readonly help: string
  /** @throws Error what is wrong with the arguments */
  parse(): { readonly help: true } | { readonly help: false; readonly plan: P; readonly json?: string }
  compare(plan: P): Promise<Comparison>
  /** What only this script knows of its plan. */
  setting(plan: P): Pick<Setting, 'longRounds' | 'verifyBytes'>
}

/** Runs it, and gives its exit code. */
export async function runScript<P extends Planned>({
  name,
  help,
  parse,
  compare,
  setting,
}: Script<P>): Promise<number> {
  exitOnSignals()
  let options: ReturnType<typeof parse>
  try {
    options = parse()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\nsee npm run ${name} -- --help\n`)
    return 2
  }
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  const { plan, json } = options
  const { contenders, tools, rounds, seconds, idle } = plan
  const programs = contenders.flatMap(contender => contender.programs ?? [])
  const versions = describeVersions(tools, programs, tunnelctlProgram())
  const start = new Date()
  let comparison: Comparison
  try {
    comparison = await compare(plan)
  } catch (error) {
    process.stderr.write(`the services did not start: ${error instanceof Error ? error.message : error}\n`)
    return 1
  }
  const made: Setting = {
    ...{ date: start.toISOString(), command: commandLine(process.argv.slice(2), name) },
    minutes: Math.ceil((Date.now() - start.getTime()) / 6_000) / 10,
    ...{ machine: describeMachine(), versions, contenders, rounds, seconds, idle },
    ...setting(plan),
  }
  writeReport(made, comparison, json)
  return comparison.failed ? 1 : 0
}

function exitOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => process.exit(code))
  }
}

/** What goes on. */
export const say = (text: string): void =>
  void process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)

/** @param json the file for it; `-` is stdout, and the table then goes to stderr */
function writeReport(setting: Setting, comparison: Comparison, json: string | undefined): void {
  const text = formatText(setting, comparison)
  if (json === '-') {
    process.stderr.write(text)
    writeFileSync(1, formatJson(setting, comparison))
  } else {
    writeFileSync(1, text)
    if (json !== undefined) writeFileSync(json, formatJson(setting, comparison))
  }
}
