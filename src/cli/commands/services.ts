/** `tunnelctl services`: what can be reached, as the agents have published it and the token allows it. */
import { Command, Option } from 'commander'
import { TunnelError } from '../../errors.ts'
import type { PublishedPort, PublishedService } from '../../net/published.ts'
import { quote } from '../../net/quote.ts'
import { formatTarget } from '../../net/target.ts'
import { formatColumns } from '../columns.ts'
import { applyContext, contextOption } from '../config/apply.ts'
import { askDirectory, type ListedAgent } from '../directory.ts'
import { type GatewayFlags, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'

interface Flags extends GatewayFlags {
  readonly agent?: string
  readonly namespace?: string
  readonly allNamespaces?: boolean
  readonly output: 'table' | 'json' | 'name'
}

interface Listed extends PublishedService {
  readonly agent: string
}

const examples = `
Examples:
  tunnelctl services                 in the namespace of your context, or in all
  tunnelctl services -n prod
  tunnelctl services -o name         targets for tunnelctl connect, one a line
`

export function servicesCommand(io: Io): Command {
  const command = new Command('services').description(
    'Lists the services that can be reached: those that agents have published and that the token allows.',
  )
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(contextOption())
    .addOption(option('--agent <name>', 'those of this agent only'))
    .addOption(option('-n, --namespace <namespace>', 'those of this namespace only'))
    .addOption(new Option('-A, --all-namespaces', 'those of all namespaces, whatever the context says'))
    .addOption(
      option('-o, --output <format>', 'table, json, or name: targets alone')
        .choices(['table', 'json', 'name'])
        .default('table'),
    )
    .hook('preAction', async self => await applyContext(self, io))
    .addHelpText('after', examples)
    .action(async (flags: Flags) => await run(flags, io))
}

async function run(flags: Flags, io: Io): Promise<void> {
  const agents = await askDirectory(flags, io)
  const all = listed(agents, flags.agent)
  const { namespace } = flags
  const found = flags.allNamespaces || namespace === undefined ? all : all.filter(each => each.namespace === namespace)
  io.stdout.write(formatted(found, flags.output))
  for (const { name, staleSince } of agents) {
    if (staleSince === undefined || (flags.agent ?? name) !== name) continue
    const time = new Date(staleSince).toISOString().replace(/\.\d+/, '')
    io.stderr.write(
      `agent ${name} does not hear from its cluster since ${time}: its services are shown as they were then\n`,
    )
  }
  if (found.length > 0) return
  io.stderr.write(`no service is published that the token allows${await elsewhere(namespace, all)}\n`)
}

async function elsewhere(namespace: string | undefined, all: readonly Listed[]): Promise<string> {
  if (namespace === undefined || all.length === 0) return ''
  const { nearestName } = await import('../nearest.ts')
  const meant = nearestName(namespace, new Set(all.map(each => each.namespace)))
  const question = meant === undefined ? '' : ` (did you mean -n ${meant}?)`
  return ` in namespace ${quote(namespace)}${question}, but ${all.length} in others: see -A`
}

function listed(agents: readonly ListedAgent[], only: string | undefined): Listed[] {
  const chosen = only === undefined ? agents : agents.filter(({ name }) => name === only)
  if (only !== undefined && chosen.length === 0) {
    const names = agents.map(({ name }) => name).join(', ')
    throw new TunnelError(
      'AGENT_UNAVAILABLE',
      `agent ${quote(only)} is not connected, or the token does not allow it`,
      {
        hint: names === '' ? 'no agent is' : `there are: ${names}`,
      },
    )
  }
  return chosen.flatMap(({ name, services }) => services.map(service => ({ agent: name, ...service })))
}

function formatted(services: readonly Listed[], output: Flags['output']): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(services, null, 2)}\n`
    case 'name':
      return [...new Set(services.flatMap(targetsOf))].map(target => `${target}\n`).join('')
    case 'table': {
      if (services.length === 0) return ''
      const rows = services.map(each => [
        each.namespace,
        each.service,
        each.ports.map(portText).join(','),
        each.agent,
        each.ready === false ? 'no ready endpoints' : '',
      ])
      return formatColumns([['NAMESPACE', 'SERVICE', 'PORTS', 'AGENT', ''], ...rows])
    }
  }
}

const targetsOf = ({ service, namespace, ports }: PublishedService): string[] =>
  ports.map(({ port, protocol }) => formatTarget({ service, namespace, port, protocol }))

/** `5432`, `5432(postgres)`, `53/udp`. */
const portText = ({ port, name, protocol }: PublishedPort): string =>
  `${port}${name === undefined ? '' : `(${name})`}${protocol === 'udp' ? '/udp' : ''}`
