/** `connect --detach`, and `ps`, `stop` and `logs` for what it has left running. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Command, Option } from 'commander'
import { TunnelError } from '../../errors.ts'
import { explainFileError } from '../../net/smallfile.ts'
import { formatColumns } from '../columns.ts'
import { type Detached, findDetached, listDetached, logOf, startDetached, stopDetached } from '../detached.ts'
import { type GatewayFlags, gatewayAddress } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'
import { formatElapsed } from '../output/units.ts'
import type { CommandLine } from '../program.ts'
import { shutdownOnSignals } from '../signals.ts'

export function psCommand(io: Io): Command {
  return new Command('ps')
    .description('Lists the connects that run detached.')
    .addOption(
      option('-o, --output <format>', 'table, json, or name: names alone')
        .choices(['table', 'json', 'name'])
        .default('table'),
    )
    .action(({ output }: { output: 'table' | 'json' | 'name' }) => {
      const all = listDetached(io.env)
      if (output === 'json') io.stdout.write(`${JSON.stringify(all, null, 2)}\n`)
      else if (output === 'name') io.stdout.write(all.map(({ name }) => `${name}\n`).join(''))
      else if (all.length > 0)
        io.stdout.write(formatColumns([['NAME', 'PID', 'UP', 'FORWARDS'], ...all.flatMap(rowsOf)]))
      if (all.length === 0) io.stderr.write('nothing runs detached\n')
    })
}

/** One for each forward. */
const rowsOf = ({ name, pid, startedAt, forwards }: Detached): string[][] =>
  forwards.map((forward, index) => {
    const shown = forward.replace(' ', ' -> ')
    return index === 0 ? [name, String(pid), formatElapsed(Date.now() - startedAt), shown] : ['', '', '', shown]
  })

export function stopCommand(io: Io): Command {
  return new Command('stop')
    .description('Ends connects that run detached, in order.')
    .argument('[name...]', 'as tunnelctl ps shows them')
    .addOption(new Option('--all', 'all that run'))
    .action(async (names: readonly string[], { all }: { all?: boolean }) => {
      if ((names.length === 0) !== (all === true)) {
        throw new TunnelError('USAGE', 'stop takes names, or --all', { hint: 'see tunnelctl ps' })
      }
      const chosen = all ? listDetached(io.env) : names.map(name => findDetached(name, io.env))
      await Promise.all(chosen.map(each => stopDetached(each, io.env)))
      for (const { name } of chosen) io.stderr.write(`${name} has ended\n`)
    })
}

export function logsCommand(io: Io): Command {
  return new Command('logs')
    .description('Shows what a detached connect has said, also after its end.')
    .argument('<name>', 'as tunnelctl ps shows it')
    .action(async (name: string) => {
      if (!/^[A-Za-z0-9.-]+$/.test(name)) findDetached(name, io.env)
      try {
        await pipeline(createReadStream(logOf(name, io.env)), io.stdout, { end: false })
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') findDetached(name, io.env)
        throw new TunnelError('USAGE', `cannot read the log: ${explainFileError(thrown)}`, { cause: thrown })
      }
    })
}

/** What of the flags of `connect` would need a terminal, or a stdin or stdout. */
interface Attached extends GatewayFlags {
  readonly stdio?: boolean
  readonly readyFile?: string
  readonly output: 'text' | 'json'
}

/**
 * `connect --detach`: the same line again, in a process of its own.
 * @throws TunnelError USAGE, and why that process has failed
 */
export async function connectDetached(flags: Attached, wish: string, line: CommandLine, io: Io): Promise<void> {
  const { stdio, tokenFile, readyFile, output } = flags
  if (stdio || line.behindDashes !== undefined || tokenFile === '-' || readyFile !== undefined || output === 'json') {
    throw new TunnelError('USAGE', '--detach has no terminal, and no stdin or stdout, to give to the others', {
      hint: 'leave out --stdio, --ready-file, -o json, --token-file - and the command behind --',
    })
  }
  // What it warns of, the other process would say to its log alone.
  await gatewayAddress(flags, io)
  const shutdown = shutdownOnSignals()
  try {
    const args = line.words.filter(word => word !== '--detach')
    const { name, pid, forwards } = await startDetached(args, wish, io.env, shutdown.signal)
    for (const forward of forwards) io.stdout.write(`Forwarding from ${forward.replace(' ', ' -> ')}\n`)
    io.stderr.write(`detached as ${name} (pid ${pid}); it ends with: tunnelctl stop ${name}\n`)
  } finally {
    shutdown.release()
  }
}
