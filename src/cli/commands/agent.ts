/** `tunnelctl agent`: flags to options. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { Agent } from '../../agent/agent.ts'
import { Catalogue, parseCatalogueEntry } from '../../agent/catalogue.ts'
import { Dialer } from '../../agent/dialer.ts'
import { parseExternal } from '../../agent/external.ts'
import { Policy } from '../../agent/policy.ts'
import { clusterDomainOf, Resolver } from '../../agent/resolver.ts'
import { nameOf, readClientCertificate } from '../../carrier/client-certificate.ts'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { parseHostPort } from '../../net/listen.ts'
import { parsePattern } from '../../net/pattern.ts'
import { quote } from '../../net/quote.ts'
import { serveAdmin } from '../../observe/admin.ts'
import { inspectToken } from '../../token/token.ts'
import { collectAtOnce } from '../collector.ts'
import { type GatewayDialler, gatewayDialler } from '../dialler.ts'
import { type DiscoveryFlags, discoveryFrom, discoveryOptions } from '../discovery.ts'
import { type GatewayFlags, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { agentLimitNames, agentLimitsFrom, type LimitFlags, limitOption } from '../limits.ts'
import { type LogFlags, loggerFrom, logOptions } from '../logging.ts'
import { drainTimeoutOption, mebibytes, option, redialFrom, redialOption, repeated, timerFlag } from '../options.ts'
import { shutdownOnSignals } from '../signals.ts'
import { software } from '../version.ts'

interface Flags extends GatewayFlags, LogFlags, DiscoveryFlags, LimitFlags {
  readonly service?: readonly string[]
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly allowExternal?: readonly string[]
  readonly clusterDomain?: string
  readonly dnsServer?: readonly string[]
  readonly dialTimeout: string
  readonly redialEvery?: string
  readonly drainTimeout: string
  readonly detachedTtl: string
  readonly detachedMemory: string
  readonly group?: string
  readonly healthListen?: string
}

const examples = `
Examples:
  tunnelctl agent --gateway wss://gateway.example.com --token-file agent.token

On a machine outside the cluster, with fixed addresses:
  tunnelctl agent ... --service db/prod:5432=10.0.0.7:5432 --service web/prod:80=127.0.0.1:8000
`

export function agentCommand(io: Io): Command {
  const command = new Command('agent').description(
    'Runs in the cluster: dials out to a gateway, and from then on reaches services for those who connect.',
  )
  for (const each of gatewayOptions()) command.addOption(each)
  command
    .addOption(repeated('--service <entry...>', 'a service at a fixed address: NAME/NS:PORT=HOST:PORT'))
    .addOption(repeated('--allow <pattern...>', 'reach these only, whatever tokens allow: api/prod:8080, */dev:*'))
    .addOption(repeated('--deny <pattern...>', 'never reach these'))
    .addOption(
      repeated('--allow-external <host:port...>', 'hosts outside of the cluster that its services may lead to'),
    )
    .addOption(
      option(
        '--cluster-domain <domain>',
        'the domain of cluster DNS; default: as in /etc/resolv.conf, else cluster.local',
      ),
    )
    .addOption(repeated('--dns-server <address...>', "name servers to ask in place of the system's: HOST or HOST:PORT"))
    .addOption(option('--dial-timeout <duration>', 'how long reaching a service may take').default('10s'))
    .addOption(redialOption())
    .addOption(drainTimeoutOption('how long, after SIGTERM, open connections may take to end'))
    .addOption(option('--detached-ttl <duration>', 'how long sessions whose client is away are kept').default('10m'))
    .addOption(
      option('--detached-memory <MiB>', 'what those sessions may hold together; the oldest give way').default('256'),
    )
    .addOption(option('--group <name>', 'processes of one name with the same group share its sessions: replicas'))
    .addOption(option('--health-listen <host:port>', 'serve /healthz, /readyz and /metrics here'))
  const others = [...discoveryOptions(), limitOption(agentLimitNames), ...logOptions()]
  for (const each of others) command.addOption(each)
  return command.addHelpText('after', examples).action(async (flags: Flags) => await run(flags, io))
}

async function run(flags: Flags, io: Io): Promise<void> {
  collectAtOnce()
  const catalogue = new Catalogue((flags.service ?? []).map(parseCatalogueEntry))
  const policy = new Policy({
    allow: (flags.allow ?? []).map(parsePattern),
    deny: (flags.deny ?? []).map(parsePattern),
    external: (flags.allowExternal ?? []).map(parseExternal),
  })
  const resolver = new Resolver({
    clusterDomain: flags.clusterDomain ?? (await systemClusterDomain()),
    servers: flags.dnsServer ?? [],
  })
  const redial = redialFrom(flags)
  const limits = agentLimitsFrom(flags)
  const drainTimeoutMs = timerFlag('--drain-timeout', flags.drainTimeout, 0)
  const detached = {
    ttlMs: timerFlag('--detached-ttl', flags.detachedTtl, 0),
    budgetBytes: mebibytes('--detached-memory', flags.detachedMemory),
  }
  const dialTimeoutMs = timerFlag('--dial-timeout', flags.dialTimeout)
  const healthListen = flags.healthListen === undefined ? undefined : parseHostPort(flags.healthListen)
  const gateway = await gatewayDialler(flags, 'agent', io)
  const log = loggerFrom(flags, io)
  const discovery = discoveryFrom(flags, {
    env: io.env,
    log,
    listed: new Set(catalogue.services().map(({ service, namespace }) => `${service}/${namespace}`)),
    changed: change => agent.publish(change),
  })
  const shutdown = shutdownOnSignals()
  const agent = new Agent({
    name: await agentNameOf(gateway),
    software,
    dialGateway: gateway.dial,
    dialer: new Dialer({
      catalogue,
      resolver,
      policy,
      dialTimeoutMs,
      ...(discovery && { discovery }),
    }),
    catalogue: () => ({
      services: [...catalogue.services(), ...(discovery?.services() ?? [])],
      ...(discovery?.staleSince !== undefined && { staleSince: discovery.staleSince }),
    }),
    instance: randomBytes(8).toString('hex'),
    ...(flags.group !== undefined && { group: groupFrom(flags.group) }),
    clock: systemClock,
    wallNow: Date.now,
    random: Math.random,
    log,
    ...redial,
    drainTimeoutMs,
    endNow: shutdown.endNow,
    limits,
    detached,
  })
  // Until the end, so that a drain can be watched.
  const serving = new AbortController()
  try {
    if (healthListen !== undefined) {
      const why = () => (shutdown.signal.aborted ? 'draining' : 'not registered at the gateway')
      const notReady = () => (agent.registered ? undefined : why())
      const admin = await serveAdmin({ listen: healthListen, notReady, metrics: agent.metrics() }, serving.signal)
      log.info('listening', { admin })
    }
    void discovery?.run(shutdown.signal)
    await agent.run(shutdown.signal)
  } finally {
    serving.abort()
    shutdown.release()
  }
}

function groupFrom(text: string): string {
  if (/^[\w./-]{1,128}$/.test(text)) return text
  throw new TunnelError('USAGE', `--group ${quote(text)} is not 1 to 128 letters, digits and . _ / -`)
}

/** Who it is, in its own log: the gateway says it by the token, by the account that the token is of, or by a certificate. */
async function agentNameOf({ token, address: { certificate } }: GatewayDialler): Promise<string> {
  if (token !== undefined) return agentNameIn(token)
  return (certificate && nameOf(await readClientCertificate(certificate))) ?? 'unnamed'
}

function agentNameIn(token: string): string {
  const { role, agents, sub } = inspectToken(token, Date.now()).claims
  const name: unknown = Array.isArray(agents) ? agents[0] : undefined
  if (role === 'agent' && typeof name === 'string') return name
  const [, account] = /^system:serviceaccount:(.+)$/.exec(String(sub)) ?? []
  if (account !== undefined) return account.replace(':', '/')
  throw new TunnelError('TOKEN_FILE', 'this is no token for an agent', {
    hint: 'make one with: tunnelctl token create --role agent --agent NAME …',
  })
}

async function systemClusterDomain(): Promise<string> {
  try {
    return clusterDomainOf(await readFile('/etc/resolv.conf', 'utf8')) ?? 'cluster.local'
  } catch {
    return 'cluster.local'
  }
}
