/** `tunnelctl agent`: flags to options. */
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { Agent } from '../../agent/agent.ts'
import { Catalogue, parseCatalogueEntry } from '../../agent/catalogue.ts'
import { Dialer } from '../../agent/dialer.ts'
import { Policy } from '../../agent/policy.ts'
import { clusterDomainOf, Resolver } from '../../agent/resolver.ts'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { parseHostPort } from '../../net/listen.ts'
import { parsePattern } from '../../net/pattern.ts'
import { serveAdmin } from '../../observe/admin.ts'
import { inspectToken } from '../../token/token.ts'
import type { Io } from '../io.ts'
import { type LogFlags, loggerFrom, logOptions } from '../logging.ts'
import { type GatewayFlags, gatewayDialler, gatewayOptions, option, repeated, timerFlag } from '../options.ts'
import { shutdownOnSignals } from '../signals.ts'
import { software } from '../version.ts'

interface Flags extends GatewayFlags, LogFlags {
  readonly service?: readonly string[]
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly clusterDomain?: string
  readonly dnsServer?: readonly string[]
  readonly dialTimeout: string
  readonly healthListen?: string
}

export function agentCommand(io: Io): Command {
  const command = new Command('agent').description('Dials out to a gateway and reaches services for it.')
  for (const each of gatewayOptions()) command.addOption(each)
  command
    .addOption(repeated('--service <name/ns:port=host:port...>', 'a service that is reached at a fixed address'))
    .addOption(repeated('--allow <pattern...>', 'reach only these, whatever the token allows: api/prod:8080'))
    .addOption(repeated('--deny <pattern...>', 'never reach these'))
    .addOption(option('--cluster-domain <domain>', 'default: as /etc/resolv.conf says, else cluster.local'))
    .addOption(repeated('--dns-server <host[:port]...>', 'ask these name servers in place of the system’s'))
    .addOption(option('--dial-timeout <duration>', 'for reaching a service').default('10s'))
    .addOption(option('--health-listen <host:port>', 'where /healthz, /readyz and /metrics are served'))
  for (const each of logOptions()) command.addOption(each)
  return command.action(async (flags: Flags) => await run(flags, io))
}

async function run(flags: Flags, io: Io): Promise<void> {
  const catalogue = new Catalogue((flags.service ?? []).map(parseCatalogueEntry))
  const policy = new Policy({
    allow: (flags.allow ?? []).map(parsePattern),
    deny: (flags.deny ?? []).map(parsePattern),
  })
  const resolver = new Resolver({
    clusterDomain: flags.clusterDomain ?? (await systemClusterDomain()),
    servers: flags.dnsServer ?? [],
  })
  const dialTimeoutMs = timerFlag('--dial-timeout', flags.dialTimeout)
  const healthListen = flags.healthListen === undefined ? undefined : parseHostPort(flags.healthListen)
  const gateway = await gatewayDialler(flags, 'agent', io)
  const log = loggerFrom(flags, io)
  const agent = new Agent({
    name: agentNameIn(gateway.token),
    software,
    dialGateway: gateway.dial,
    dialer: new Dialer({ catalogue, resolver, policy, dialTimeoutMs }),
    clock: systemClock,
    random: Math.random,
    log,
  })
  const shutdown = shutdownOnSignals()
  try {
    if (healthListen !== undefined) {
      const notReady = () => (agent.registered ? undefined : 'not registered at the gateway')
      const admin = await serveAdmin({ listen: healthListen, notReady, metrics: agent.metrics() }, shutdown.signal)
      log.info('listening', { admin })
    }
    await agent.run(shutdown.signal)
  } finally {
    shutdown.release()
  }
}

/** The agent's name is its token's; the gateway checks the signature. */
function agentNameIn(token: string): string {
  const { role, agents } = inspectToken(token, Date.now()).claims
  const name: unknown = Array.isArray(agents) ? agents[0] : undefined
  if (role === 'agent' && typeof name === 'string') return name
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
