/** The command tree. Each command's module is loaded only when it is the one that runs. */
import { Command, CommanderError } from 'commander'
import { asTunnelError } from '../errors.ts'
import { redactTokens } from '../net/quote.ts'
import { ExitWith } from './exit.ts'
import { helpStyle } from './help.ts'
import type { Io } from './io.ts'
import { version } from './version.ts'

/** What was typed. */
export interface CommandLine {
  readonly words: readonly string[]
  /** What stands behind `--`, if it is there. */
  readonly behindDashes?: readonly string[]
}

interface Entry {
  readonly summary: string
  readonly load: (io: Io, line: CommandLine) => Promise<Command>
}

const commands: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  [
    'connect',
    {
      summary: 'open local ports, or a pipe, to services in the cluster',
      load: async (io, line) => (await import('./commands/connect.ts')).connectCommand(io, line),
    },
  ],
  [
    'agent',
    {
      summary: 'run in the cluster: dials out, and reaches services from there',
      load: async (io: Io) => (await import('./commands/agent.ts')).agentCommand(io),
    },
  ],
  [
    'gateway',
    {
      summary: 'run where both can reach it: relays between connect and agents',
      load: async (io: Io) => (await import('./commands/gateway.ts')).gatewayCommand(io),
    },
  ],
  [
    'open',
    {
      summary: 'open a service in your browser, through the ingress',
      load: async (io: Io) => (await import('./commands/open.ts')).openCommand(io),
    },
  ],
  [
    'services',
    {
      summary: 'list the services that can be reached',
      load: async (io: Io) => (await import('./commands/services.ts')).servicesCommand(io),
    },
  ],
  [
    'agents',
    {
      summary: 'list the agents that are connected',
      load: async (io: Io) => (await import('./commands/agents.ts')).agentsCommand(io),
    },
  ],
  [
    'up',
    {
      summary: 'open the forwards that tunnelctl.yaml lists',
      load: async (io: Io) => (await import('./commands/up.ts')).upCommand(io, args => runProgram(args, io)),
    },
  ],
  [
    'ps',
    {
      summary: 'list what runs detached',
      load: async (io: Io) => (await import('./commands/detached.ts')).psCommand(io),
    },
  ],
  [
    'stop',
    {
      summary: 'end what runs detached',
      load: async (io: Io) => (await import('./commands/detached.ts')).stopCommand(io),
    },
  ],
  [
    'logs',
    {
      summary: 'show what a detached connect has said',
      load: async (io: Io) => (await import('./commands/detached.ts')).logsCommand(io),
    },
  ],
  [
    'doctor',
    {
      summary: 'find what is wrong between here and a service',
      load: async (io: Io) => (await import('./commands/doctor.ts')).doctorCommand(io),
    },
  ],
  [
    'login',
    {
      summary: 'check a gateway and a token, and keep them',
      load: async (io: Io) => (await import('./commands/login.ts')).loginCommand(io),
    },
  ],
  [
    'context',
    {
      summary: 'list and change the gateways that you use',
      load: async (io: Io) => (await import('./commands/context.ts')).contextCommand(io),
    },
  ],
  [
    'config',
    {
      summary: 'show your configuration, and where each value is set',
      load: async (io: Io) => (await import('./commands/config.ts')).configCommand(io),
    },
  ],
  [
    'token',
    {
      summary: 'make keys and tokens, and look into a token',
      load: async (io: Io) => (await import('./commands/token.ts')).tokenCommand(io),
    },
  ],
  [
    'manifests',
    {
      summary: 'print the Kubernetes objects that install an agent or a gateway',
      load: async (io: Io) => (await import('./commands/manifests.ts')).manifestsCommand(io),
    },
  ],
  [
    'demo',
    {
      summary: 'see it all at work on this machine, in seconds',
      load: async (io: Io) => (await import('./commands/demo.ts')).demoCommand(io),
    },
  ],
  [
    'completion',
    {
      summary: 'print a completion script for your shell',
      load: async (io: Io) => (await import('./commands/completion.ts')).completionCommand(io),
    },
  ],
])

const examples = `
Examples:
  tunnelctl demo                           see it work on this machine, in seconds
  tunnelctl gateway --dev                  a gateway to try, with tokens made for you
  tunnelctl connect db/prod:5432           a local port to db in namespace prod
  tunnelctl connect --stdio ssh/prod:22    a pipe, for ssh -o ProxyCommand

Each command has its own --help.
`

const NO_COLOUR = '--no-color'

/** Runs one command line and returns its exit code; failures are printed as one line on stderr. */
export async function runProgram(args: readonly string[], given: Io): Promise<number> {
  const { line: typed, io } = withColourChoice(args, given)
  try {
    const [first, ...rest] = typed
    const asked = first === 'help' ? [...rest, '--help'] : [...typed]
    const line = parted(asked)
    await (await programFor(line, io)).parseAsync(line.words, { from: 'user' })
    return 0
  } catch (thrown) {
    return await report(thrown, io)
  }
}

/** Every command with all of its options, for what is made from the tree. Loads all of them; parses nothing yet. */
export async function wholeProgram(io: Io): Promise<Command> {
  return await buildProgram(io, () => true)
}

/** `--no-color` means the same wherever it stands, before `--`: what NO_COLOR means. */
function withColourChoice(args: readonly string[], io: Io): { line: readonly string[]; io: Io } {
  const end = args.indexOf('--')
  const own = end < 0 ? args : args.slice(0, end)
  if (!own.includes(NO_COLOUR)) return { line: args, io }
  const { stdin, stdout, stderr, env } = io
  const line = [...own.filter(word => word !== NO_COLOUR), ...(end < 0 ? [] : args.slice(end))]
  return { line, io: { stdin, stdout, stderr, env: { ...env, NO_COLOR: '1', FORCE_COLOR: undefined } } }
}

const nameIn = (args: readonly string[]): string | undefined => args.find(argument => !argument.startsWith('-'))

/** `connect … -- COMMAND`: the command is not for commander, which would take it for more targets. */
function parted(args: readonly string[]): CommandLine {
  const at = args.indexOf('--')
  if (at < 0 || nameIn(args) !== 'connect') return { words: args }
  return { words: args.slice(0, at), behindDashes: args.slice(at + 1) }
}

async function programFor(line: CommandLine, io: Io): Promise<Command> {
  const named = nameIn(line.words)
  const program = await buildProgram(io, name => name === named, line)
  if (line.words.length === 0) program.action(() => program.outputHelp())
  return program
}

/** Commands that are not `loaded` are there with their summary alone. */
async function buildProgram(
  io: Io,
  loaded: (name: string) => boolean,
  line: CommandLine = { words: [] },
): Promise<Command> {
  const program = new Command('tunnelctl')
    .description('A local port, or a pipe, to a service in a Kubernetes cluster - and it stays.')
    .version(version, '-V, --version', 'print the version')
    .option(NO_COLOUR, 'no colours, as with NO_COLOR; for every command')
    .addHelpText('after', examples)
    .showSuggestionAfterError()
    // Not before help and version, which whoever has made a mistake may want to see.
    .hook('preAction', async () => await (await import('./variables.ts')).checkVariables(io.env))
  for (const [name, { summary, load }] of commands) {
    program.addCommand((loaded(name) ? await load(io, line) : new Command(name)).summary(summary))
  }
  for (const command of allOf(program)) {
    command.exitOverride()
    command.configureHelp(helpStyle)
    command.helpOption('-h, --help', 'show this help')
    command.helpCommand(false)
    command.configureOutput({
      writeOut: text => io.stdout.write(text),
      writeErr: text => io.stderr.write(text),
      outputError: (text, write) => write(`tunnelctl: ${oneLine(text)}; see ${commandLine(command)} --help\n`),
    })
  }
  return program
}

async function report(thrown: unknown, io: Io): Promise<number> {
  if (thrown instanceof CommanderError) {
    // Help and version leave with 0; everything else commander has printed already, and is a usage error.
    return thrown.exitCode === 0 ? 0 : 2
  }
  if (thrown instanceof ExitWith) return thrown.exitCode
  const error = asTunnelError(thrown)
  if (error.code === 'INTERRUPTED') return error.exitCode
  // chalk is loaded only by what needs it: help and completion start without.
  const [{ terminalOf }, { failureLine }] = await Promise.all([
    import('./output/terminal.ts'),
    import('./output/text.ts'),
  ])
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
    .replace(/\.$/, '')
    .replace(/\s*\n\s*/g, ' ')
