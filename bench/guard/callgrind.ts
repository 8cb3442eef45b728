/**
 * Counts the instructions of a Node process under valgrind. The same program gives the same count within some millionths,
 * whatever else the machine does: the engine is told to do everything in one thread, in one order, and without the
 * optimising compiler, whose moments to act would shift with every small change of the program.
 */
import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Where counting begins, when the process comes by; without it at its start. Every Node exports it, and calls it on request. */
const MARK = 'uv_loadavg'

export const nodeOptions = [
  '--expose-gc',
  '--single-threaded',
  '--predictable',
  '--hash-seed=1',
  '--random-seed=1',
  '--no-opt',
  '--always-sparkplug',
  '--no-lazy-feedback-allocation',
  // So large that when to collect garbage is not decided by the clock.
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
]

/** What the caller's shell may carry costs instructions, too. */
const environment = { PATH: process.env.PATH }

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The version of valgrind; undefined when it is not installed. */
export function valgrindVersion(): string | undefined {
  try {
    return execFileSync('valgrind', ['--version'], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

/** Instructions of `node` with `args`, from the mark to the end. Rejects when the process fails. */
export async function countInstructions(args: readonly string[]): Promise<number> {
  const tool = ['--tool=callgrind', '--callgrind-out-file=/dev/null', `--zero-before=${MARK}`]
  const { stderr } = await run('valgrind', [...tool, process.execPath, ...nodeOptions, ...args])
  return parseCount(stderr)
}

/** What `node` with `args` writes. Rejects when the process fails. */
export async function outputOf(args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [...nodeOptions, ...args])
  return stdout
}

function run(command: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd: root, env: environment }, (error, stdout, stderr) => {
      if (error === null) return resolve({ stdout, stderr })
      const end = error.signal === undefined || error.signal === null ? `exit code ${error.code}` : error.signal
      reject(new Error(`${command} ${args.join(' ')}: ${end}\n${stderr.trimEnd()}`))
    })
  })
}

/** @param output of callgrind, which ends with the count */
export function parseCount(output: string): number {
  const [, count] = /^==\d+== I +refs: +([\d,]+)$/m.exec(output) ?? []
  if (count === undefined) throw new Error(`valgrind gave no count: ${output.trimEnd().split('\n').at(-1)}`)
  return Number(count.replaceAll(',', ''))
}
