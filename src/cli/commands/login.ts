/** `tunnelctl login`: checks a gateway and a token, and keeps them as a context. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { dialGateway, parseGatewayUrl } from '../../carrier/dial.ts'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { Link } from '../../mux/link.ts'
import { formatDuration } from '../../net/duration.ts'
import { escapeText } from '../../observe/escape.ts'
import { readToken } from '../../token/secret.ts'
import { inspectToken } from '../../token/token.ts'
import { Config, writePrivately } from '../config/config.ts'
import type { Context } from '../config/context.ts'
import { configFile } from '../config/paths.ts'
import type { Io } from '../io.ts'
import { gatewayOptions, option } from '../options.ts'
import { shutdownOnSignals } from '../signals.ts'
import { software } from '../version.ts'
import { storedToken } from './context.ts'

interface Flags {
  readonly gateway?: string
  readonly tokenFile?: string
  readonly caFile?: string
  readonly name?: string
  readonly agent?: string
  readonly namespace?: string
}

const examples = `
Examples:
  tunnelctl login --gateway wss://gateway.example.com          asks for the token
  tunnelctl login --gateway wss://gateway.example.com --token-file me.token
  issue-token | tunnelctl login --gateway wss://gateway.example.com --token-file -

A token file stays where it is, and is read again whenever it is needed. A
token that was pasted or piped is kept beside the configuration, for you alone.
`

export function loginCommand(io: Io): Command {
  const command = new Command('login').description(
    'Checks a gateway and a token, and keeps them as the current context.',
  )
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(option('--name <name>', "what to call the context; default: the gateway's host"))
    .addOption(option('--agent <name>', 'the agent to go through, unless another is named'))
    .addOption(option('-n, --namespace <namespace>', 'the namespace of targets that name none'))
    .addHelpText('after', examples)
    .action(async (flags: Flags) => await run(flags, io))
}

async function run(flags: Flags, io: Io): Promise<void> {
  if (flags.gateway === undefined) {
    throw new TunnelError('USAGE', 'no gateway was given', { hint: 'write it as: tunnelctl login --gateway wss://…' })
  }
  const url = parseGatewayUrl(flags.gateway)
  const config = await Config.load(configFile(io.env))
  const name = flags.name ?? url.host
  const token = await tokenFrom(flags, io)
  await check(url, token, flags.caFile)
  const kept = flags.tokenFile === undefined || flags.tokenFile === '-'
  const tokenFile = kept ? storedToken(config.file, name) : absolute(flags.tokenFile)
  const context: Context = {
    gateway: url.href.replace(/\/$/, ''),
    'token-file': tokenFile,
    ...(flags.caFile !== undefined && { 'ca-file': absolute(flags.caFile) }),
    ...(flags.agent !== undefined && { agent: flags.agent }),
    ...(flags.namespace !== undefined && { namespace: flags.namespace }),
  }
  config.set(name, context)
  config.use(name)
  if (kept) await writePrivately(tokenFile, `${token}\n`)
  await config.save()
  io.stderr.write(`logged in to ${context.gateway} ${describe(token)}\ncontext ${name} is the current one\n`)
}

async function tokenFrom({ tokenFile }: Flags, io: Io): Promise<string> {
  const { env, stdin } = io
  const asked = tokenFile === undefined && (env.TUNNELCTL_TOKEN ?? '') === '' && stdin.isTTY && io.stderr.isTTY
  if (asked) {
    const { askSecret } = await import('../prompt.ts')
    return await readToken({ env: { TUNNELCTL_TOKEN: await askSecret('Token', io) }, stdin })
  }
  return await readToken({ tokenFile, env, stdin, warn: message => io.stderr.write(`warning: ${message}\n`) })
}

/** As `connect` would come in. */
async function check(url: URL, token: string, caFile: string | undefined): Promise<void> {
  const shutdown = shutdownOnSignals()
  try {
    const { signal } = shutdown
    const carrier = await dialGateway({
      url,
      role: 'connect',
      token,
      clock: systemClock,
      signal,
      ...(caFile !== undefined && { caFile }),
    })
    const link = await Link.greet(carrier, { clock: systemClock, hello: { role: 'connect', software }, signal })
    link.close('logged in')
    await link.ended
  } catch (thrown) {
    if (shutdown.interrupted()) throw new TunnelError('INTERRUPTED', 'interrupted')
    throw thrown
  } finally {
    shutdown.release()
  }
}

function describe(token: string): string {
  const now = Date.now()
  const { claims, expiresAt } = inspectToken(token, now)
  const list = (value: unknown) => (Array.isArray(value) ? escapeText(value.join(', '), 200) : 'nothing')
  const lifetime = expiresAt === undefined ? '' : `, for ${formatDuration(expiresAt - now)}`
  return `as ${escapeText(String(claims.sub), 100)}${lifetime}: agents ${list(claims.agents)}; allowed ${list(claims.allow)}`
}

const absolute = (path = ''): string => resolve(path)
