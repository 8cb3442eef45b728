/** `tunnelctl connect`: flags to options, and what it shows. */
import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { Connect } from '../../connect/connect.ts'
import type { ProxyAt } from '../../connect/proxy.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'
import { isAgentName } from '../../net/claims.ts'
import { parseHostPort } from '../../net/listen.ts'
import { quote } from '../../net/quote.ts'
import { type Forward, formatTarget, parseForward } from '../../net/target.ts'
import { announce, type Forwarding, runBeside } from '../beside.ts'
import { collectAtOnce } from '../collector.ts'
import { applyContext, contextOption } from '../config/apply.ts'
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
import { isInForeground, type KeyInput } from '../output/keys.ts'
import type { LiveActions } from '../output/live.ts'
import { type ConnectOutput, createOutput } from '../output/sink.ts'
import { formatCount } from '../output/units.ts'
import type { CommandLine } from '../program.ts'
import type { Pick } from '../recent.ts'
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
  readonly udpIdleTimeout: string
  readonly redialEvery?: string
  readonly quiet?: boolean
  readonly plain?: boolean
  readonly readyFile?: string
  readonly socks5?: string
  readonly detach?: boolean
}

const examples = `
Targets:
  db/prod:5432               port 5432 of service db in namespace prod, at the
                             same local port, or another if that is taken
  5433:db/prod:5432          at local port 5433
  0.0.0.0:5433:db/prod:5432  at local port 5433, for other machines too
  web/prod:http              a port by its name
  unix:/tmp/db.sock:db/prod:5432
                             at a Unix socket of yours alone

Examples:
  tunnelctl connect --gateway wss://gateway.example.com --token-file me.token db/prod:5432

With TUNNELCTL_GATEWAY and TUNNELCTL_TOKEN_FILE set:
  tunnelctl connect                        asks which service, at a terminal
  tunnelctl connect db/prod:5432 6380:cache/prod:6379
  ssh -o ProxyCommand='tunnelctl connect --stdio ssh/prod:22' me@prod
  tunnelctl connect db/prod:5432 -- psql -h {host} -p {port} -U me
  tunnelctl connect --socks5 1080
  curl --proxy socks5h://127.0.0.1:1080 http://web.prod/

Behind -- is a command that runs while the ports are open, with {host} and
{port} of the first target in place, {host2} and {port2} of the second. It
has the terminal for itself, and its exit code is the one of tunnelctl.
`

/** Pings this often while somebody looks at the figures, and this often otherwise. */
const WATCHED_PING = '5s'
const UNWATCHED_PING = '20s'
const LEAST_PING_MS = 100

export function connectCommand(io: Io, line: CommandLine): Command {
  const command = new Command('connect')
    .description('Opens a local port for each target, or one pipe, and keeps it open until Ctrl-C.')
    .argument(
      '[target...]',
      'what to reach: service/namespace:port, LOCAL:target, BIND:LOCAL:target or unix:PATH:target',
    )
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(contextOption())
    .hook('preAction', async self => await applyContext(self, io))
    .addOption(option('--agent <name>', 'the agent to go through; needed if the token allows several'))
    .addOption(option('-n, --namespace <namespace>', 'the namespace of targets that name none, as db:5432'))
    .addOption(option('--address <address>', 'where local ports are bound; default: 127.0.0.1 and ::1'))
    .addOption(
      option('--socks5 <[host:]port>', 'a local proxy to every service that the token allows: SOCKS5 and HTTP CONNECT'),
    )
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
    .addOption(
      option('--udp-idle-timeout <duration>', 'when a sender of UDP that is silent is forgotten').default('60s'),
    )
    .addOption(redialOption())
    .addOption(
      option('--ready-file <file>', 'write the local addresses here once all are open; it is removed at the end'),
    )
    .addOption(new Option('--detach', 'go on without the terminal once all is open: see tunnelctl ps, stop and logs'))
    .addOption(option('--plain', 'lines that go by, and no live block: for screen readers, and for logs'))
    .addOption(option('-q, --quiet', 'print failures only'))
    .addHelpText('after', examples)
    .action(async (targets: string[], flags: Flags) => await run(targets, flags, line, io))
}

async function run(targets: readonly string[], flags: Flags, line: CommandLine, io: Io): Promise<void> {
  const { behindDashes: beside } = line
  if (targets.length === 0 && flags.socks5 === undefined && mayAsk(flags, io)) {
    const { agent, target } = await pick(flags, io)
    const words = [...line.words, '--agent', agent, target]
    return await run([target], { ...flags, agent }, { ...line, words }, io)
  }
  collectAtOnce()
  const targetsOf = targets.map(target => withAddress(parseForward(target, flags.namespace), flags.address))
  const [only] = targetsOf
  const forwards = flags.socks5 === undefined ? targetsOf : [...targetsOf, proxyAt(flags.socks5, flags)]
  if (forwards.length === 0) {
    throw new TunnelError('USAGE', 'no target was given', {
      hint: 'name one, for example: tunnelctl connect db/prod:5432',
    })
  }
  if (flags.agent !== undefined && !isAgentName(flags.agent)) {
    throw new TunnelError('USAGE', `${quote(flags.agent)} is not the name of an agent`, {
      hint: 'use a-z, 0-9 and -, at most 63 characters',
    })
  }
  const plain = only?.port === undefined && only?.path === undefined && only?.target.protocol === 'tcp'
  if (flags.stdio && (forwards.length !== 1 || !plain)) {
    throw new TunnelError('USAGE', '--stdio takes one target of TCP, and nothing local')
  }
  if (flags.stdio && flags.tokenFile === '-') {
    throw new TunnelError('USAGE', 'stdin cannot carry both the token and the data of --stdio', {
      hint: 'give --token-file FILE or set TUNNELCTL_TOKEN',
    })
  }
  if (beside !== undefined && (beside.length === 0 || flags.stdio || flags.output === 'json')) {
    const what = beside.length === 0 ? 'is empty' : 'has the terminal, and stdout, for itself'
    throw new TunnelError('USAGE', `the command behind -- ${what}`, {
      hint: 'write it as: tunnelctl connect db/prod:5432 -- psql -h {host} -p {port}',
    })
  }
  if (flags.detach) {
    const { connectDetached } = await import('./detached.ts')
    return await connectDetached(flags, only === undefined ? 'socks5' : formatTarget(only.target), line, io)
  }
  const json = flags.output === 'json' && !flags.stdio
  const statsIntervalMs = timerFlag('--stats-interval', flags.statsInterval, 0)
  const defaultPing = json || io.stderr.isTTY ? WATCHED_PING : UNWATCHED_PING
  const pingIntervalMs = timerFlag('--ping-interval', flags.pingInterval ?? defaultPing, LEAST_PING_MS)
  const holdMs = timerFlag('--hold-timeout', flags.holdTimeout, 0)
  const udpIdleMs = timerFlag('--udp-idle-timeout', flags.udpIdleTimeout, 1_000)
  const redial = redialFrom(flags)
  const gateway = await gatewayDialler(flags, 'connect', io)
  const gatewayName = gateway.url.href.replace(/\/$/, '')
  let connect: Connect | undefined
  const quit = new AbortController()
  const output = createOutput({
    io,
    output: json ? 'json' : 'text',
    quiet: flags.quiet === true || flags.stdio === true || beside !== undefined,
    // In the background a block that is drawn in place would be drawn over what others write.
    plain: flags.plain === true || (io.stderr.isTTY === true && !isInForeground()),
    snapshot: () => connect?.snapshot(),
    actions: actionsAt(io, quit, () => connect),
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
    udpIdleMs,
    ...redial,
    ...(json && statsIntervalMs > 0 && { statsIntervalMs }),
  })
  const { readyFile } = flags
  output.connecting(gatewayName)
  if (flags.stdio && only) await runStdio(connect, only, io, output)
  else if (beside !== undefined) await runBeside(connect, { forwards, output, readyFile }, beside, io)
  else await runForwards(connect, { forwards, output, readyFile }, json, quit.signal)
}

/** A script is told what is wrong, and not asked. */
const mayAsk = ({ output, stdio }: Flags, { stdin, stderr, env }: Io): boolean =>
  stdin.isTTY === true && stderr.isTTY === true && !env.CI && output === 'text' && !stdio

async function pick({ agent, namespace, ...flags }: Flags, io: Io): Promise<Pick> {
  const [{ askDirectory }, { pickTarget }] = await Promise.all([import('../directory.ts'), import('../picker.ts')])
  const agents = (await askDirectory(flags, io)).filter(({ name }) => agent === undefined || name === agent)
  const narrowed = agents.map(({ name, services }) => ({
    name,
    services: services.filter(each => namespace === undefined || each.namespace === namespace),
  }))
  return await pickTarget(narrowed, io)
}

async function runForwards(
  connect: Connect,
  { forwards, output, readyFile }: Forwarding,
  json: boolean,
  quit: AbortSignal,
): Promise<void> {
  const shutdown = shutdownOnSignals(() => connect.redial())
  const asked = AbortSignal.any([shutdown.signal, quit])
  let left = 0
  const count = () => {
    left = connect.snapshot().forwards.reduce((sum, { streamsOpen }) => sum + streamsOpen, 0)
  }
  // Before anybody else hears of the end: by then everything is closed.
  asked.addEventListener('abort', count, { once: true })
  let removeReadyFile = async () => {}
  try {
    await connect.forward(forwards, asked, async all => {
      removeReadyFile = await announce(readyFile, all)
    })
  } catch (thrown) {
    const { code, message, hint } = asTunnelError(thrown)
    if (json) output.event({ event: 'error', code, message, hint })
    throw thrown
  } finally {
    await removeReadyFile()
    output.close(left === 0 ? undefined : `${formatCount(left, 'connection')} cut`)
    shutdown.release()
  }
  if (shutdown.interrupted()) throw new TunnelError('INTERRUPTED', 'interrupted')
}

/** Keys, where stdin is a terminal. */
function actionsAt({ stdin }: Io, quit: AbortController, connect: () => Connect | undefined): LiveActions | undefined {
  if (stdin.isTTY !== true) return undefined
  return {
    input: stdin as unknown as KeyInput,
    quit: () => quit.abort(),
    redial: () => connect()?.redial(),
    streams: () => connect()?.streams() ?? [],
  }
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

/** `1080`, `127.0.0.1:1080`. */
function proxyAt(text: string, { address, namespace }: Flags): ProxyAt {
  if (!/^[0-9]{1,5}$/.test(text)) {
    const { host, port } = parseHostPort(text)
    return { proxy: { address: host, port }, namespace }
  }
  const { port } = parseHostPort(`localhost:${text}`)
  return { proxy: address === undefined ? { port } : { address, port }, namespace }
}

const withAddress = (forward: Forward, address: string | undefined): Forward =>
  address === undefined || forward.address !== undefined || forward.path !== undefined
    ? forward
    : { ...forward, address }
