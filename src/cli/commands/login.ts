/** `tunnelctl login`: checks a gateway and a token, and keeps them as a context. */
import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { GatewayAddress } from '../../carrier/approach.ts'
import { askGateway } from '../../carrier/ask.ts'
import { dialGateway } from '../../carrier/dial.ts'
import { systemClock } from '../../clock.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'
import { Link } from '../../mux/link.ts'
import { tokenIssuer } from '../../net/claims.ts'
import { formatDuration } from '../../net/duration.ts'
import { escapeText } from '../../observe/escape.ts'
import { grantFile, readToken } from '../../token/secret.ts'
import { inspectToken } from '../../token/token.ts'
import { Config } from '../config/config.ts'
import type { Context } from '../config/context.ts'
import { configFile } from '../config/paths.ts'
import { isTokenGiven } from '../dialler.ts'
import { type GatewayFlags, gatewayAddress, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import type { LoginOffer } from '../oidc.ts'
import { option } from '../options.ts'
import { writePrivately } from '../own-file.ts'
import { shutdownOnSignals } from '../signals.ts'
import { software } from '../version.ts'
import { warn } from '../warning.ts'
import { storedToken } from './context.ts'

interface Flags extends GatewayFlags {
  readonly name?: string
  readonly agent?: string
  readonly namespace?: string
}

const examples = `
Examples:
  tunnelctl login --gateway wss://gateway.example.com          the gateway says where to log in, or asks for a token
  tunnelctl login --gateway wss://gateway.example.com --token-file me.token
  issue-token | tunnelctl login --gateway wss://gateway.example.com --token-file -

A token file stays where it is, and is read again whenever it is needed. A
token that was pasted, piped, or got from the issuer that the gateway trusts is
kept beside the configuration, for you alone. That of an issuer is renewed
before it ends, for as long as the issuer lets it.
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
  const address = await gatewayAddress(flags, io)
  const { url } = address
  const config = await Config.load(configFile(io.env))
  const name = flags.name ?? url.host
  const shutdown = shutdownOnSignals()
  try {
    const { signal } = shutdown
    const login = await logIn(address, flags, io, signal)
    const agents = await check(address, login.token, signal)
    const tokenFile = login.keep === undefined ? flags.tokenFile : storedToken(config.file, name)
    const context = contextFrom(url, { ...flags, ...(tokenFile !== undefined && { tokenFile }) })
    config.set(name, context)
    config.use(name)
    await login.keep?.(storedToken(config.file, name))
    await config.save()
    const who = describe(login.token, agents)
    io.stderr.write(`logged in to ${context.gateway} ${who}\ncontext ${name} is the current one\n`)
    const left = [
      ...(flags.header ? ['--header'] : []),
      ...(flags.insecureSkipVerify ? ['--insecure-skip-verify'] : []),
    ]
    if (left.length > 0) io.stderr.write(`the context does not keep ${left.join(' and ')}: give that each time\n`)
  } catch (thrown) {
    if (shutdown.interrupted()) throw new TunnelError('INTERRUPTED', 'interrupted')
    throw thrown
  } finally {
    shutdown.release()
  }
}

function contextFrom(url: URL, flags: Flags): Context {
  const { tokenFile, caFile, tlsServerName, clientCert, clientKey, headerFile, allowPlaintext, agent, namespace } =
    flags
  return {
    gateway: url.href.replace(/\/$/, ''),
    ...(tokenFile !== undefined && { 'token-file': resolve(tokenFile) }),
    ...(caFile !== undefined && { 'ca-file': resolve(caFile) }),
    ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
    ...(clientCert !== undefined && { 'client-cert': resolve(clientCert) }),
    ...(clientKey !== undefined && { 'client-key': resolve(clientKey) }),
    ...(headerFile !== undefined && { 'header-file': resolve(headerFile) }),
    ...(allowPlaintext && { 'allow-plaintext': 'true' }),
    ...(agent !== undefined && { agent }),
    ...(namespace !== undefined && { namespace }),
  }
}

interface Login {
  /** Absent: a certificate names this end. */
  readonly token?: string
  /** Absent for a token that is in a file of the user's already. */
  readonly keep?: (tokenFile: string) => Promise<void>
}

async function logIn(address: GatewayAddress, flags: Flags, io: Io, signal: AbortSignal): Promise<Login> {
  const { env, stdin } = io
  const { tokenFile } = flags
  const given = isTokenGiven(flags, io)
  if (!given && (await isKnownByCertificate(address, io, signal))) return {}
  const offer = given ? undefined : await offered(address, signal)
  if (offer !== undefined) {
    const [{ logInByDevice }, { keepTokens }] = await Promise.all([import('../oidc.ts'), import('../renewal.ts')])
    const tokens = await logInByDevice(offer, line => io.stderr.write(`${line}\n`), signal)
    return { token: tokens.idToken, keep: file => keepTokens(file, offer, tokens) }
  }
  const asked = !given && stdin.isTTY && io.stderr.isTTY
  const token = asked
    ? await readToken({ env: { TUNNELCTL_TOKEN: await (await import('../prompt.ts')).askSecret('Token', io) }, stdin })
    : await readToken({ tokenFile, env, stdin, warn: message => warn(io, message) })
  if (tokenFile !== undefined && tokenFile !== '-') return { token }
  return {
    token,
    keep: async file => {
      await rm(grantFile(file), { force: true })
      await writePrivately(file, `${token}\n`)
    },
  }
}

/** Whether the gateway lets this end in without a token. */
async function isKnownByCertificate(address: GatewayAddress, io: Io, signal: AbortSignal): Promise<boolean> {
  if (address.certificate === undefined || address.url.protocol !== 'wss:') return false
  try {
    await askGateway({ ...address, path: '/v1/services', signal })
    return true
  } catch (thrown) {
    const { code, message } = asTunnelError(thrown)
    if (code !== 'UNAUTHENTICATED') throw thrown
    // It may be for what stands in front of the gateway alone.
    warn(io, `the certificate is not enough: ${message}`)
    return false
  }
}

/** Where the gateway's people log in; undefined when it takes only tokens that somebody has made. */
async function offered(address: GatewayAddress, signal: AbortSignal): Promise<LoginOffer | undefined> {
  const { body } = await askGateway({ ...address, path: '/v1/login', signal })
  const { oidc } = (body ?? {}) as { oidc?: Record<string, unknown> }
  const { issuer, clientId, scopes } = oidc ?? {}
  if (typeof issuer !== 'string' || typeof clientId !== 'string' || !URL.canParse(issuer)) return undefined
  return { issuer, clientId, scopes: Array.isArray(scopes) ? scopes.map(String) : ['openid'] }
}

/** Comes in as `connect` would. Returns the agents that the token may use, of those that are connected. */
async function check(address: GatewayAddress, token: string | undefined, signal: AbortSignal): Promise<unknown> {
  const carrier = await dialGateway({ ...address, role: 'connect', token, clock: systemClock, signal })
  const link = await Link.greet(carrier, { clock: systemClock, hello: { role: 'connect', software }, signal })
  link.close('logged in')
  await link.ended
  return link.welcome.agents
}

/** Only a token of the gateway's own issuer says itself what it allows. */
function describe(token: string | undefined, connected: unknown): string {
  if (token === undefined) return `by a certificate; agents connected: ${listed(connected)}`
  const now = Date.now()
  const { claims, expiresAt } = inspectToken(token, now)
  const lifetime = expiresAt === undefined ? '' : `, for ${formatDuration(expiresAt - now)}`
  const who = `as ${escapeText(String(claims.email ?? claims.sub), 100)}${lifetime}`
  if (claims.iss !== tokenIssuer) return `${who}; agents connected: ${listed(connected)}`
  return `${who}: agents ${listed(claims.agents)}; allowed ${listed(claims.allow)}`
}

const listed = (value: unknown): string =>
  Array.isArray(value) && value.length > 0 ? escapeText(value.join(', '), 200) : 'none'
