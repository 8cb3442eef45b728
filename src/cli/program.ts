/** The command tree. Each command's module is loaded only when it is the one that runs. */
import { Command, CommanderError } from 'commander'
import { asTunnelError } from '../errors.ts'
import { redactTokens } from '../net/quote.ts'
import type { Io } from './io.ts'
import { terminalOf } from './output/terminal.ts'
import { failureLine } from './output/text.ts'
import { version } from './version.ts'

interface Entry {
  readonly summary: string
  readonly load: (io: Io) => Promise<Command>
}

const commands: ReadonlyMap<string, Entry> = new Map([
  [
    'connect',
    {
      summary: 'open local ports, or a pipe, to services in the cluster',
      load: async (io: Io) => (await import('./commands/connect.ts')).connectCommand(io),
    },
  ],
  [
    'agent',
    {
      summary: 'run in the cluster: dial out to a gateway and reach services for it',
      load: async (io: Io) => (await import('./commands/agent.ts')).agentCommand(io),
    },
  ],
  [
    'gateway',
    {
      summary: 'run where both sides can reach it: relay between connect and agents',
      load: async (io: Io) => (await import('./commands/gateway.ts')).gatewayCommand(io),
    },
  ],
  [
    'token',
    {
      summary: 'make key pairs and tokens, and look into a token',
      load: async (io: Io) => (await import('./commands/token.ts')).tokenCommand(io),
    },
  ],
  [
    'demo',
    {
      summary: 'see it work: gateway, agent, a service and traffic on this machine',
      load: async (io: Io) => (await import('./commands/demo.ts')).demoCommand(io),
    },
  ],
])

const examples = `
Examples:
  tunnelctl demo                                   see it work on this machine, in seconds
  tunnelctl connect db/prod:5432                   a local port to db in namespace prod
  tunnelctl connect --stdio ssh/prod:22            a pipe, for ssh -o ProxyCommand
  tunnelctl gateway --dev                          a gateway to try, with tokens made for you
`

/** Runs one command line and returns its exit code; failures are printed as one line on stderr. */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  try {
    await (await buildProgram(args, io)).parseAsync([...args], { from: 'user' })
    return 0
  } catch (thrown) {
    return report(thrown, io)
  }
}

async function buildProgram(args: readonly string[], io: Io): Promise<Command> {
  const program = new Command('tunnelctl')
    .description('A local port, or a pipe, to a service inside a Kubernetes cluster - and it stays.')
    .version(version, '-V, --version', 'print the version')
    .addHelpText('after', examples)
    .helpCommand(false)
    .showSuggestionAfterError()
  const named = args.find(argument => !argument.startsWith('-'))
  for (const [name, { summary, load }] of commands) {
    program.addCommand((name === named ? await load(io) : new Command(name)).summary(summary))
  }
  if (args.length === 0) program.action(() => program.outputHelp())
  for (const command of allOf(program)) {
    command.exitOverride()
    command.configureOutput({
      writeOut: text => io.stdout.write(text),
      writeErr: text => io.stderr.write(text),
      outputError: (text, write) => write(`tunnelctl: ${oneLine(text)}; see ${commandLine(command)} --help\n`),
    })
  }
  return program
}

function report(thrown: unknown, io: Io): number {
  if (thrown instanceof CommanderError) {
    // Help and version leave with 0; everything else commander has printed already, and is a usage error.
    return thrown.exitCode === 0 ? 0 : 2
  }
  const error = asTunnelError(thrown)
  if (error.code === 'INTERRUPTED') return error.exitCode
  io.stderr.write(`${failureLine(error, terminalOf(io).paint)}\n`)
  return error.exitCode
}

function* allOf(command: Command): Iterable<Command> {
  yield command
  for (const child of command.commands) yield* allOf(child)
}

const commandLine = (command: Command): string =>
  command.parent === null ? command.name() : `${commandLine(command.parent)} ${command.name()}`

const oneLine = (text: string): string =>
  redactTokens(text)
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')
