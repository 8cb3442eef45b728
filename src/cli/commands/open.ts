/** `tunnelctl open`: a service in the browser, through the ingress of the gateway. */
import { Command, Option } from 'commander'
import { askGateway } from '../../carrier/ask.ts'
import { TunnelError } from '../../errors.ts'
import { formatTarget, parseTarget } from '../../net/target.ts'
import { applyContext, contextOption } from '../config/apply.ts'
import { tokenOf } from '../dialler.ts'
import { type GatewayFlags, gatewayAddress, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'
import { shutdownOnSignals } from '../signals.ts'

interface Flags extends GatewayFlags {
  readonly agent?: string
  readonly namespace?: string
  readonly browser: boolean
}

const examples = `
Examples:
  tunnelctl open web/prod:80
  tunnelctl open web/prod:80 --no-browser   only prints where it is

The address that is printed logs one browser in, once, within a minute.
`

export function openCommand(io: Io): Command {
  const command = new Command('open')
    .description('Opens a service in your browser, through the ingress of the gateway.')
    .argument('<target>', 'the service to open: service/namespace:port')
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(contextOption())
    .hook('preAction', async self => await applyContext(self, io))
    .addOption(option('--agent <name>', 'the agent to go through; needed if the token allows several'))
    .addOption(option('-n, --namespace <namespace>', 'the namespace of a target that names none'))
    .addOption(new Option('--no-browser', 'print the address, and open nothing'))
    .addHelpText('after', examples)
    .action(async (text: string, flags: Flags) => await run(text, flags, io))
}

async function run(text: string, flags: Flags, io: Io): Promise<void> {
  const target = formatTarget(parseTarget(text, flags.namespace))
  const address = await gatewayAddress(flags, io)
  const token = await tokenOf(flags, io)
  const shutdown = shutdownOnSignals()
  try {
    const { signal } = shutdown
    const { agent } = flags
    const body = { target, ...(agent !== undefined && { agent }) }
    const answer = await askGateway({ ...address, path: '/v1/open', token, body, signal })
    const place = placeFrom(address.url, answer.body)
    io.stdout.write(`${place}\n`)
    if (!flags.browser || io.stdout.isTTY !== true) return
    const { default: openInBrowser } = await import('open')
    // It goes on without us, and is not waited for.
    ;(await openInBrowser(place)).on('error', () => io.stderr.write('no browser could be started: open it by hand\n'))
  } finally {
    shutdown.release()
  }
}

/** Where the gateway is, by the host that it names. */
function placeFrom(gateway: URL, answer: unknown): string {
  const { host, path } = (answer ?? {}) as { host?: unknown; path?: unknown }
  const valid = typeof host === 'string' && /^[a-z0-9.-]{1,253}$/.test(host) && typeof path === 'string'
  if (!valid || !/^\/\.tunnelctl\/login\?code=[\w-]{1,128}$/.test(path)) {
    throw new TunnelError('NOT_A_GATEWAY', `${gateway.host} has not said where the service is`)
  }
  const scheme = gateway.protocol === 'wss:' ? 'https' : 'http'
  return `${scheme}://${host}${gateway.port === '' ? '' : `:${gateway.port}`}${path}`
}
