/** `tunnelctl connect`: flags to options, and what it shows. */
import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { Connect } from '../../connect/connect.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'
import { isAgentName } from '../../net/claims.ts'
import { quote } from '../../net/quote.ts'
import { type Forward, parseForward } from '../../net/target.ts'
import { collectAtOnce } from '../collector.ts'
import type { Io } from '../io.ts'
import {
  type GatewayFlags,
  gatewayDialler,
  gatewayOptions,
  option,
  redialFrom,
  redialOption,
  timerFlag,
} from '../options.ts'
import { type ConnectOutput, createOutput } from '../output/sink.ts'
import { formatCount } from '../output/units.ts'
import { shutdownOnSignals } from '../signals.ts'
import { unblockedStdout } from '../standard-output.ts'
import { software } from '../version.ts'

interface Flags extends GatewayFlags {
  readonly agent?: string
  readonly namespace?: string
  readonly address?: string
  readonly stdio?: boolean
  readonly output: 'text' | 'json'
  readonly statsInterval: string
  readonly pingInterval?: string
  readonly holdTimeout: string
  readonly redialEvery?: string
  readonly quiet?: boolean
}

const examples = `
Targets:
  db/prod:5432               port 5432 of service db in namespace prod, at the
                             same local port, or another if that is taken
  5433:db/prod:5432          at local port 5433
  0.0.0.0:5433:db/prod:5432  at local port 5433, for other machines too
  web/prod:http              a port by its name

Examples:
  tunnelctl connect --gateway wss://gateway.example.com --token-file me.token db/prod:5432

With TUNNELCTL_GATEWAY and TUNNELCTL_TOKEN_FILE set:
  tunnelctl connect db/prod:5432 6380:cache/prod:6379
  ssh -o ProxyCommand='tunnelctl connect --stdio ssh/prod:22' me@prod
`

/** Pings this often while somebody looks at the figures, and this often otherwise. */
const WATCHED_PING = '5s'
const UNWATCHED_PING = '20s'
const LEAST_PING_MS = 100

export function connectCommand(io: Io): Command {
  const command = new Command('connect')
    .description('Opens a local port for each target, or one pipe, and keeps it open until Ctrl-C.')
    .argument('<target...>', 'what to reach: service/namespace:port, LOCAL:target or BIND:LOCAL:target')
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(option('--agent <name>', 'the agent to go through; needed if the token allows several'))
    .addOption(option('-n, --namespace <namespace>', 'the namespace of targets that name none, as db:5432'))
    .addOption(option('--address <address>', 'where local ports are bound; default: 127.0.0.1 and ::1'))
    .addOption(new Option('--stdio', 'be a pipe: join stdin and stdout to the one target, and print nothing else'))
    .addOption(
      option('-o, --output <format>', 'text, or json: one event per line on stdout')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(option('--stats-interval <duration>', 'how often json has a stats event; 0: never').default('1s'))
    .addOption(option('--ping-interval <duration>', 'how often to ping; default: 5s while it is shown, else 20s'))
    .addOption(
      option('--hold-timeout <duration>', 'how long new connections wait while the tunnel is away').default('30s'),
    )
    .addOption(redialOption())
    .addOption(option('-q, --quiet', 'print failures only'))
    .addHelpText('after', examples)
    .action(async (targets: string[], flags: Flags) => await run(targets, flags, io))
}

async function run(targets: readonly string[], flags: Flags, io: Io): Promise<void> {
  collectAtOnce()
  const forwards = targets.map(target => withAddress(parseForward(target, flags.namespace), flags.address))
  const [only] = forwards
  if (flags.agent !== undefined && !isAgentName(flags.agent)) {
    throw new TunnelError('USAGE', `${quote(flags.agent)} is not the name of an agent`, {
      hint: 'use a-z, 0-9 and -, at most 63 characters',
    })
  }
  if (flags.stdio && (forwards.length !== 1 || only?.port !== undefined)) {
    throw new TunnelError('USAGE', '--stdio takes one target, without a local port')
  }
  if (flags.stdio && flags.tokenFile === '-') {
    throw new TunnelError('USAGE', 'stdin cannot carry both the token and the data of --stdio', {
      hint: 'give --token-file FILE or set TUNNELCTL_TOKEN',
    })
  }
  const json = flags.output === 'json' && !flags.stdio
  const statsIntervalMs = timerFlag('--stats-interval', flags.statsInterval, 0)
  const defaultPing = json || io.stderr.isTTY ? WATCHED_PING : UNWATCHED_PING
  const pingIntervalMs = timerFlag('--ping-interval', flags.pingInterval ?? defaultPing, LEAST_PING_MS)
  const holdMs = timerFlag('--hold-timeout', flags.holdTimeout, 0)
  const redial = redialFrom(flags)
  const gateway = await gatewayDialler(flags, 'connect', io)
  const gatewayName = gateway.url.href.replace(/\/$/, '')
  let connect: Connect | undefined
  const output = createOutput({
    io,
    output: json ? 'json' : 'text',
    quiet: flags.quiet === true || flags.stdio === true,
    snapshot: () => connect?.snapshot(),
  })
  connect = new Connect({
    gateway: gatewayName,
    sink: output,
    ...(flags.agent !== undefined && { agent: flags.agent }),
    software,
    dialGateway: gateway.dial,
    clock: systemClock,
    wallNow: Date.now,
    random: Math.random,
    randomBytes,
    pingIntervalMs,
    holdMs,
    ...redial,
    ...(json && statsIntervalMs > 0 && { statsIntervalMs }),
  })
  output.connecting(gatewayName)
  if (flags.stdio && only) await runStdio(connect, only, io, output)
  else await runForwards(connect, forwards, output, json)
}

async function runForwards(
  connect: Connect,
  forwards: readonly Forward[],
  output: ConnectOutput,
  json: boolean,
): Promise<void> {
  const shutdown = shutdownOnSignals(() => connect.redial())
  let left = 0
  const count = () => {
    left = connect.snapshot().forwards.reduce((sum, { streamsOpen }) => sum + streamsOpen, 0)
  }
  // Before anybody else hears of the end: by then everything is closed.
  shutdown.signal.addEventListener('abort', count, { once: true })
  try {
    await connect.forward(forwards, shutdown.signal)
  } catch (thrown) {
    const { code, message, hint } = asTunnelError(thrown)
    if (json) output.event({ event: 'error', code, message, hint })
    throw thrown
  } finally {
    output.close(left === 0 ? undefined : `${formatCount(left, 'connection')} cut`)
    shutdown.release()
  }
  if (shutdown.interrupted()) throw new TunnelError('INTERRUPTED', 'interrupted')
}

async function runStdio(connect: Connect, { target }: Forward, io: Io, output: ConnectOutput): Promise<void> {
  const shutdown = shutdownOnSignals()
  try {
    await connect.stdio(target, { input: io.stdin, output: unblockedStdout(io.stdout) }, shutdown.signal)
  } finally {
    output.close()
    shutdown.release()
  }
  if (shutdown.interrupted()) throw new TunnelError('INTERRUPTED', 'interrupted')
}

const withAddress = (forward: Forward, address: string | undefined): Forward =>
  address === undefined || forward.address !== undefined ? forward : { ...forward, address }
