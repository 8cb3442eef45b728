/** `tunnelctl gateway`: flags to options, and `--dev`. */
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { Authenticator } from '../../gateway/auth.ts'
import { Certificates } from '../../gateway/certificates.ts'
import type { Cluster } from '../../gateway/cluster.ts'
import { Gateway, type GatewayOptions } from '../../gateway/gateway.ts'
import { loadVerifyKeys } from '../../gateway/keys.ts'
import type { OidcIssuer } from '../../gateway/oidc.ts'
import { addressRanges } from '../../net/cidr.ts'
import { parseHostPort } from '../../net/listen.ts'
import { isLoopback } from '../../net/loopback.ts'
import { quote } from '../../net/quote.ts'
import type { Log } from '../../observe/log.ts'
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
  readonly clusters?: string
  readonly oidcIssuer?: string
  readonly oidcAudience?: string
  readonly oidcScopes: string
  readonly oidcRules?: string
  readonly httpListen?: string
  readonly tlsCert?: readonly string[]
  readonly tlsKey?: readonly string[]
  readonly proxyProtocol?: boolean
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
    .addOption(
      option('--clusters <file>', 'YAML: clusters whose service accounts are agents, without a secret of ours'),
    )
    .addOption(option('--oidc-issuer <url>', 'let people in who log in there: an OpenID Connect provider'))
    .addOption(option('--oidc-audience <client-id>', 'the client id of tunnelctl at the issuer'))
    .addOption(option('--oidc-rules <file>', 'YAML: who may do what, by the claims of their tokens'))
    .addOption(
      option('--oidc-scopes <scopes>', 'what tunnelctl login asks the issuer for').default(
        'openid email offline_access',
      ),
    )
    .addOption(
      repeated(
        '--tls-cert <file...>',
        'PEM certificate chains, chosen by host; without one, put a proxy that ends TLS in front',
      ),
    )
    .addOption(repeated('--tls-key <file...>', 'PEM private keys of the certificates, in the same order'))
    .addOption(option('--http-listen <host:port>', 'with TLS: send plain HTTP on to https, from here'))
    .addOption(new Option('--proxy-protocol', 'connections of trusted proxies begin with the PROXY protocol'))
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
  const clusters = await clustersFrom(flags, io)
  if (files.length === 0 && clusters.length === 0) {
    throw new TunnelError('USAGE', 'no key to check tokens with was given', {
      hint: 'give --verify-key FILE.pub (tunnelctl token keygen makes one), or try --dev',
    })
  }
  const drainTimeoutMs = timerFlag('--drain-timeout', flags.drainTimeout, 0)
  const oidc = await oidcFrom(flags)
  const log = loggerFrom(flags, io)
  const certificates = await certificatesFrom(flags, log)
  const proxyProtocol = proxyProtocolFrom(flags)
  if (flags.httpListen !== undefined && certificates === undefined) {
    throw new TunnelError('USAGE', '--http-listen goes with --tls-cert: without TLS, --listen is plain HTTP')
  }
  const ingress = await ingressFrom(flags, log)
  const shutdown = shutdownOnSignals(() => {
    ingress?.reload()
    void certificates?.reload()
  })
  const stops = [ingress?.watch(), certificates?.watch(systemClock)]
  const options: GatewayOptions = {
    listen,
    ...(flags.adminListen !== undefined && { adminListen: parseHostPort(flags.adminListen) }),
    authenticator: new Authenticator({
      keys: files.length === 0 ? [] : await loadVerifyKeys(files),
      oidc,
      clusters,
      now: Date.now,
    }),
    ...(certificates && { certificates }),
    ...(proxyProtocol && { proxyProtocol }),
    ...(flags.httpListen !== undefined && { plainListen: parseHostPort(flags.httpListen) }),
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
    for (const stop of stops) stop?.()
    shutdown.release()
  }
}

async function certificatesFrom({ tlsCert = [], tlsKey = [] }: Flags, log: Log): Promise<Certificates | undefined> {
  const files = tlsCert.map((cert, index) => ({ cert, key: tlsKey[index] ?? '' }))
  if (tlsCert.length !== tlsKey.length) throw new TunnelError('USAGE', '--tls-cert and --tls-key go together')
  const [first, ...more] = files
  return first === undefined ? undefined : await Certificates.load({ files: [first, ...more], log })
}

/** Whose word is taken for where a connection comes from. */
function proxyProtocolFrom({ proxyProtocol, trustedProxies = [] }: Flags): GatewayOptions['proxyProtocol'] {
  if (!proxyProtocol) return undefined
  if (trustedProxies.length > 0) return addressRanges(trustedProxies)
  throw new TunnelError('USAGE', '--proxy-protocol needs --trusted-proxies: anybody could send that header')
}

async function clustersFrom({ clusters: file }: Flags, { env }: Io): Promise<readonly Cluster[]> {
  if (file === undefined) return []
  const { Cluster, loadClusters } = await import('../../gateway/cluster.ts')
  const all = await loadClusters(file, env)
  return all.map(settings => new Cluster(settings, () => systemClock.now()))
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
