/**
 * From arguments to an exit code. The only place that catches everything and prints it: one line, never a stack.
 * `--version`, and what completion asks at every TAB, are answered before anything else is loaded.
 */
import type { Io } from './io.ts'
import { version } from './version.ts'

const OLDEST_NODE = [20, 17] as const

/** Never throws and never ends the process: the caller sets its exit code. */
export async function main(
  args: readonly string[],
  io: Io & { readonly versions?: { node: string } },
): Promise<number> {
  // A reader that goes away does not end a tunnel; unheard, its EPIPE would end the process with a stack trace.
  for (const output of [io.stdout, io.stderr]) output.on('error', () => {})
  const [major = 0, minor = 0] = (io.versions?.node ?? process.versions.node).split('.').map(Number)
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    io.stderr.write(`tunnelctl: needs Node.js ${OLDEST_NODE.join('.')} or newer, and this is ${major}.${minor}\n`)
    return 1
  }
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    io.stdout.write(`${version}\n`)
    return 0
  }
  const [first, ...rest] = args
  if (first === '__complete') return await (await import('./live/complete.ts')).complete(rest, io)
  if (first === '__refresh') return await (await import('./live/refresh.ts')).refresh(rest[0] ?? '', io)
  const { runProgram } = await import('./program.ts')
  return await runProgram(args, io)
}
