/** `tunnelctl gateway`: flags to options, and `--dev`. */
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { Certificates } from '../../gateway/certificates.ts'
import { Gateway, type GatewayOptions } from '../../gateway/gateway.ts'
import { addressRanges } from '../../net/cidr.ts'
import { parseHostPort } from '../../net/listen.ts'
import type { Log } from '../../observe/log.ts'
import { collectAtOnce } from '../collector.ts'
import { createDevIdentity, devLines, requireLoopback } from '../dev.ts'
import { type IdentityFlags, identityFrom, identityOptions } from '../identity.ts'
import { type IngressFlags, ingressFrom, ingressOptions } from '../ingress.ts'
import type { Io } from '../io.ts'
import { gatewayLimitNames, gatewayLimitsFrom, type LimitFlags, limitOption } from '../limits.ts'
import { type LogFlags, loggerFrom, logOptions } from '../logging.ts'
import { drainTimeoutOption, option, repeated, timerFlag } from '../options.ts'
import { shutdownOnSignals } from '../signals.ts'
import { software } from '../version.ts'

interface Flags extends LogFlags, IngressFlags, IdentityFlags, LimitFlags {
  readonly listen: string
  readonly adminListen?: string
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
  for (const each of identityOptions()) command.addOption(each)
  command
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
  const others = [...ingressOptions(), limitOption(gatewayLimitNames), ...logOptions()]
  for (const each of others) command.addOption(each)
  return command.addHelpText('after', examples).action(async (flags: Flags) => await run(flags, io))
}

async function run(flags: Flags, io: Io): Promise<void> {
  collectAtOnce()
  const listen = parseHostPort(flags.listen)
  if (flags.dev) requireLoopback(listen)
  const dev = flags.dev ? await createDevIdentity(io.env) : undefined
  const limits = gatewayLimitsFrom(flags)
  const drainTimeoutMs = timerFlag('--drain-timeout', flags.drainTimeout, 0)
  const log = loggerFrom(flags, io)
  const identity = await identityFrom(
    flags,
    { devKey: dev?.publicKeyFile, revoked: () => gateway.endRevoked(), log },
    io,
  )
  const certificates = await certificatesFrom(flags, log)
  const proxyProtocol = proxyProtocolFrom(flags)
  if (flags.httpListen !== undefined && certificates === undefined) {
    throw new TunnelError('USAGE', '--http-listen goes with --tls-cert: without TLS, --listen is plain HTTP')
  }
  const ingress = await ingressFrom(flags, log)
  const readings = [...identity.readings, ...(certificates === undefined ? [] : [certificates])]
  const shutdown = shutdownOnSignals(() => {
    ingress?.reload()
    for (const each of readings) void each.reload()
  })
  const stops = [ingress?.watch(), ...readings.map(each => each.watch(systemClock))]
  const options: GatewayOptions = {
    listen,
    ...(flags.adminListen !== undefined && { adminListen: parseHostPort(flags.adminListen) }),
    authenticator: identity.authenticator,
    ...(certificates && { certificates }),
    ...(proxyProtocol && { proxyProtocol }),
    ...(flags.trustedProxies && { sharedProxies: addressRanges(flags.trustedProxies) }),
    ...(flags.httpListen !== undefined && { plainListen: parseHostPort(flags.httpListen) }),
    ...(ingress && { ingress: ingress.setup }),
    software,
    clock: systemClock,
    wallNow: Date.now,
    log,
    drainTimeoutMs,
    limits,
    endNow: shutdown.endNow,
  }
  const gateway = new Gateway(options)
  try {
    await gateway.run(shutdown.signal, ({ url }) => {
      if (dev) io.stdout.write(devLines(url, dev))
    })
  } finally {
    for (const stop of stops) stop?.()
    shutdown.release()
  }
}

async function certificatesFrom(
  { tlsCert = [], tlsKey = [], clientCa }: Flags,
  log: Log,
): Promise<Certificates | undefined> {
  const files = tlsCert.map((cert, index) => ({ cert, key: tlsKey[index] ?? '' }))
  if (tlsCert.length !== tlsKey.length) throw new TunnelError('USAGE', '--tls-cert and --tls-key go together')
  const [first, ...more] = files
  if (first !== undefined)
    return await Certificates.load({ files: [first, ...more], ...(clientCa !== undefined && { clientCa }), log })
  if (clientCa === undefined) return undefined
  throw new TunnelError('USAGE', '--client-ca goes with --tls-cert: who ends TLS is who sees certificates')
}

/** Whose word is taken for where a connection comes from. */
function proxyProtocolFrom({ proxyProtocol, trustedProxies = [] }: Flags): GatewayOptions['proxyProtocol'] {
  if (!proxyProtocol) return undefined
  if (trustedProxies.length > 0) return addressRanges(trustedProxies)
  throw new TunnelError('USAGE', '--proxy-protocol needs --trusted-proxies: anybody could send that header')
}
