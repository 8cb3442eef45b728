/** `tunnelctl connect`: flags to options, and what it shows. */
import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { Connect } from '../../connect/connect.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'
import { type Forward, formatTarget, lacksNamespace } from '../../net/target.ts'
import { announce, type Forwarding, runBeside } from '../beside.ts'
import { collectAtOnce } from '../collector.ts'
import { applyContext, contextOption } from '../config/apply.ts'
import { kubeNamespace } from '../config/kubeconfig.ts'
import { gatewayDialler } from '../dialler.ts'
import { checkBeside, type ForwardFlags, forwardsFrom } from '../forwards.ts'
import { type GatewayFlags, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { option, redialFrom, redialOption, timerFlag } from '../options.ts'
import { isInForeground, type KeyInput } from '../output/keys.ts'
import type { LiveActions } from '../output/live.ts'
import { type ConnectOutput, createOutput } from '../output/sink.ts'
import type { Talk } from '../output/text.ts'
import { formatCount } from '../output/units.ts'
import type { CommandLine } from '../program.ts'
import type { Pick } from '../recent.ts'
import { shutdownOnSignals } from '../signals.ts'
import { unblockedStdout } from '../standard-output.ts'
import { Suggestions } from '../suggestion.ts'
import { software } from '../version.ts'

interface Flags extends GatewayFlags, ForwardFlags {
  readonly output: 'text' | 'json'
  readonly statsInterval: string
  readonly pingInterval?: string
  readonly holdTimeout: string
  readonly udpIdleTimeout: string
  readonly redialEvery?: string
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly plain?: boolean
  readonly readyFile?: string
  readonly detach?: boolean
}

const examples = `
Targets:
  db/prod:5432               port 5432 of service db in namespace prod, at the
                             same local port, or another if that is taken
  5433:db/prod:5432          at local port 5433
  0.0.0.0:5433:db/prod:5432  at local port 5433, for other machines too
  web/prod:http              a port by its name
  pg-0.pg/db:5432            a pod of a headless service, by its host name
  pod/pg-0/db:5432           any pod by its name, if the agent has --discovery
  deploy/api/prod:8080       a ready pod of a deployment, likewise
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
    .addOption(
      option(
        '-n, --namespace <namespace>',
        "the namespace of targets that name none, as db:5432; default: the context's, or kubectl's",
      ),
    )
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
    .addOption(
      option('-v, --verbose', 'print a line for each connection too, when it opens and when it ends').conflicts(
        'quiet',
      ),
    )
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
  const namespace = flags.namespace ?? (targets.some(lacksNamespace) ? await kubeNamespace(io.env) : undefined)
  const { forwards, only } = forwardsFrom(targets, { ...flags, ...(namespace !== undefined && { namespace }) })
  checkBeside(beside, flags)
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
  const gatewayName = gateway.address.url.href.replace(/\/$/, '')
  let connect: Connect | undefined
  const quit = new AbortController()
  const suggestions = new Suggestions({ ...gateway.address, token: gateway.token })
  const plainOutput = createOutput({
    io,
    output: json ? 'json' : 'text',
    talk: talkOf(flags, beside !== undefined),
    // In the background a block that is drawn in place would be drawn over what others write.
    plain: flags.plain === true || flags.stdio === true || (io.stderr.isTTY === true && !isInForeground()),
    snapshot: () => connect?.snapshot(),
    actions: actionsAt(io, quit, () => connect),
  })
  // Programs get events as they happen.
  const output = json ? plainOutput : suggestions.around(plainOutput)
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
  if (flags.stdio && only) await runStdio(connect, only, { output, suggestions }, io)
  else if (beside !== undefined) await runBeside(connect, { forwards, output, readyFile }, beside, io)
  else await runForwards(connect, { forwards, output, readyFile }, json, quit.signal)
}

/** Beside a command, and in a pipe, what is said is in the way; in a pipe it may be asked for. */
function talkOf({ quiet, verbose, stdio }: Flags, beside: boolean): Talk {
  if (beside) return 'quiet'
  if (verbose) return 'verbose'
  return quiet || stdio ? 'quiet' : 'normal'
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

async function runStdio(
  connect: Connect,
  { target }: Forward,
  { output, suggestions }: { readonly output: ConnectOutput; readonly suggestions: Suggestions },
  io: Io,
): Promise<void> {
  const shutdown = shutdownOnSignals()
  try {
    await connect.stdio(target, { input: io.stdin, output: unblockedStdout(io.stdout) }, shutdown.signal)
  } catch (thrown) {
    throw await suggestions.improve(asTunnelError(thrown), formatTarget(target))
  } finally {
    output.close()
    shutdown.release()
  }
  if (shutdown.interrupted()) throw new TunnelError('INTERRUPTED', 'interrupted')
}
