/** `tunnelctl gateway`: flags to options, and `--dev`. */
import { readFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { Authenticator } from '../../gateway/auth.ts'
import { Gateway, type GatewayOptions } from '../../gateway/gateway.ts'
import { loadVerifyKeys } from '../../gateway/keys.ts'
import type { OidcIssuer } from '../../gateway/oidc.ts'
import { parseHostPort } from '../../net/listen.ts'
import { isLoopback } from '../../net/loopback.ts'
import { quote } from '../../net/quote.ts'
import { collectAtOnce } from '../collector.ts'
import { createDevIdentity, devLines, requireLoopback } from '../dev.ts'
import { type IngressFlags, ingressFrom, ingressOptions } from '../ingress.ts'
import type { Io } from '../io.ts'
import { type LogFlags, loggerFrom, logOptions } from '../logging.ts'
import { drainTimeoutOption, option, repeated, timerFlag } from '../options.ts'
import { shutdownOnSignals } from '../signals.ts'
import { software } from '../version.ts'

interface Flags extends LogFlags, IngressFlags {
  readonly listen: string
  readonly adminListen?: string
  readonly verifyKey?: readonly string[]
  readonly oidcIssuer?: string
  readonly oidcAudience?: string
  readonly oidcScopes: string
  readonly oidcRules?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly drainTimeout: string
  readonly dev?: boolean
}

const examples = `
Examples:
  tunnelctl gateway --dev
  tunnelctl gateway --listen 0.0.0.0:443 --tls-cert tls.crt --tls-key tls.key --verify-key issuer.key.pub
`

export function gatewayCommand(io: Io): Command {
  const command = new Command('gateway')
    .description(
      'Runs where both sides can reach it, and relays between connect and agents. Both dial in; it dials nobody.',
    )
    .addOption(option('--listen <host:port>', 'where connect and agents dial in').default('127.0.0.1:8080'))
    .addOption(option('--admin-listen <host:port>', 'serve /healthz, /readyz and /metrics here'))
    .addOption(repeated('--verify-key <file...>', 'public key to check tokens with: the FILE.pub of token keygen'))
    .addOption(option('--oidc-issuer <url>', 'let people in who log in there: an OpenID Connect provider'))
    .addOption(option('--oidc-audience <client-id>', 'the client id of tunnelctl at the issuer'))
    .addOption(option('--oidc-rules <file>', 'YAML: who may do what, by the claims of their tokens'))
    .addOption(
      option('--oidc-scopes <scopes>', 'what tunnelctl login asks the issuer for').default(
        'openid email offline_access',
      ),
    )
    .addOption(option('--tls-cert <file>', 'PEM certificate chain; without it, put a proxy that ends TLS in front'))
    .addOption(option('--tls-key <file>', 'PEM private key of the certificate'))
    .addOption(drainTimeoutOption('how long, after SIGTERM, carriers may take to move elsewhere'))
    .addOption(new Option('--dev', 'to try it on this machine: makes keys and tokens, and prints what to paste'))
  for (const each of [...ingressOptions(), ...logOptions()]) command.addOption(each)
  return command.addHelpText('after', examples).action(async (flags: Flags) => await run(flags, io))
}

async function run(flags: Flags, io: Io): Promise<void> {
  collectAtOnce()
  const listen = parseHostPort(flags.listen)
  if (flags.dev) requireLoopback(listen)
  const dev = flags.dev ? await createDevIdentity(io.env) : undefined
  const files = [...(flags.verifyKey ?? []), ...(dev ? [dev.publicKeyFile] : [])]
  if (files.length === 0) {
    throw new TunnelError('USAGE', 'no key to check tokens with was given', {
      hint: 'give --verify-key FILE.pub (tunnelctl token keygen makes one), or try --dev',
    })
  }
  const drainTimeoutMs = timerFlag('--drain-timeout', flags.drainTimeout, 0)
  const tls = await tlsFrom(flags)
  const oidc = await oidcFrom(flags)
  const log = loggerFrom(flags, io)
  const ingress = await ingressFrom(flags, log)
  const shutdown = shutdownOnSignals(() => ingress?.reload())
  const stopWatching = ingress?.watch()
  const options: GatewayOptions = {
    listen,
    ...(flags.adminListen !== undefined && { adminListen: parseHostPort(flags.adminListen) }),
    authenticator: new Authenticator({ keys: await loadVerifyKeys(files), oidc, now: Date.now }),
    ...(tls && { tls }),
    ...(ingress && { ingress: ingress.setup }),
    software,
    clock: systemClock,
    wallNow: Date.now,
    log,
    drainTimeoutMs,
    endNow: shutdown.endNow,
  }
  try {
    await new Gateway(options).run(shutdown.signal, ({ url }) => {
      if (dev) io.stdout.write(devLines(url, dev))
    })
  } finally {
    stopWatching?.()
    shutdown.release()
  }
}

async function tlsFrom({ tlsCert, tlsKey }: Flags): Promise<GatewayOptions['tls']> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new TunnelError('USAGE', '--tls-cert and --tls-key go together')
  }
  return { cert: await readPem('--tls-cert', tlsCert), key: await readPem('--tls-key', tlsKey) }
}

async function oidcFrom(flags: Flags): Promise<OidcIssuer | undefined> {
  const { oidcIssuer: issuer, oidcAudience: audience, oidcRules, oidcScopes } = flags
  if (issuer === undefined && audience === undefined && oidcRules === undefined) return undefined
  if (issuer === undefined || audience === undefined || oidcRules === undefined) {
    throw new TunnelError('USAGE', '--oidc-issuer, --oidc-audience and --oidc-rules go together')
  }
  const { protocol, hostname } = URL.canParse(issuer) ? new URL(issuer) : { protocol: '', hostname: '' }
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) {
    throw new TunnelError('USAGE', `--oidc-issuer ${quote(issuer)} is no https URL`, {
      hint: 'give it as it stands in the claim "iss" of the tokens',
    })
  }
  const [oidc, { loadRules }] = await Promise.all([import('../../gateway/oidc.ts'), import('../../gateway/rules.ts')])
  return new oidc.OidcIssuer({
    issuer,
    audience,
    scopes: oidcScopes.split(/[\s,]+/).filter(scope => scope !== ''),
    rules: await loadRules(oidcRules),
    monotonicNow: () => systemClock.now(),
  })
}

async function readPem(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new TunnelError('KEY_FILE', `cannot read the file of ${flag}, ${file}: ${code}`, {
      cause,
      hint: 'give a readable PEM file',
    })
  }
}
