/** The flags of `tunnelctl gateway` that are about its ingress, and what they mean. */
import { randomBytes } from 'node:crypto'
import type { Option } from 'commander'
import { systemClock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import type { IngressSetup } from '../gateway/gateway.ts'
import type { FrameDetail } from '../gateway/ingress/frames.ts'
import type { RouteFileOptions } from '../gateway/ingress/route-file.ts'
import { type HostRoute, Routes } from '../gateway/ingress/routes.ts'
import { addressRanges } from '../net/cidr.ts'
import { parseDuration } from '../net/duration.ts'
import { matches, parsePattern } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'
import type { Target } from '../net/target.ts'
import type { Log } from '../observe/log.ts'
import { option, repeated, timerFlag } from './options.ts'

export interface IngressFlags {
  readonly ingressDomain?: string
  readonly routes?: string
  readonly ingressPublic?: readonly string[]
  readonly ingressTimeout: string
  readonly ingressIdleTimeout: string
  readonly trustedProxies?: readonly string[]
  readonly ingressHsts: string
  readonly logFrames: FrameDetail
}

export const ingressOptions = (): Option[] => [
  option(
    '--ingress-domain <domain>',
    'serve services as HTTP: service--namespace--port.DOMAIN is one, and with --agent behind it that of one agent',
  ),
  option('--routes <file>', 'YAML: hosts and paths, and the services that they stand for; read again when it changes'),
  repeated('--ingress-public <pattern...>', 'services below the domain that need no token, as web/prod:80'),
  option('--ingress-timeout <duration>', 'how long a service may take to begin its answer').default('60s'),
  option(
    '--ingress-idle-timeout <duration>',
    'how long a transfer, or an upgraded connection, may stand still',
  ).default('10m'),
  option('--ingress-hsts <duration>', 'over TLS, browsers are told to come over TLS alone for so long; 0: not').default(
    '180d',
  ),
  option('--log-frames <detail>', 'what the log has of WebSocket frames that pass: off, totals, or each')
    .choices(['off', 'totals', 'each'])
    .default('off'),
  repeated('--trusted-proxies <cidr...>', 'proxies in front, whose X-Forwarded-* headers are believed'),
]

/** What stays to be looked after while the gateway runs. */
export interface IngressRun {
  readonly setup: IngressSetup
  /** Reads again what is in files. */
  readonly reload: () => void
  /** Reads again what has changed in files, until the returned function is called. */
  readonly watch: () => () => void
}

/**
 * Undefined when no ingress is asked for.
 * @throws TunnelError USAGE
 */
export async function ingressFrom(flags: IngressFlags, log: Log): Promise<IngressRun | undefined> {
  const { ingressDomain: domain, ingressPublic = [], trustedProxies = [], routes: file, logFrames: frames } = flags
  if (domain === undefined && file === undefined) return undefined
  if (domain !== undefined && !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(domain)) {
    throw new TunnelError('USAGE', `--ingress-domain ${quote(domain)} is no domain`)
  }
  const patterns = ingressPublic.map(parsePattern)
  const shared = {
    domain,
    isPublic: (target: Target) => patterns.some(pattern => matches(pattern, target)),
    defaults: {
      responseTimeoutMs: timerFlag('--ingress-timeout', flags.ingressTimeout),
      idleTimeoutMs: timerFlag('--ingress-idle-timeout', flags.ingressIdleTimeout),
    },
  }
  let routes = new Routes({ ...shared, routes: [] })
  const changed = (read: readonly HostRoute[]) => {
    routes = new Routes({ ...shared, routes: read })
  }
  const { defaults } = shared
  const written = file === undefined ? undefined : await loadRoutes({ file, defaults, changed, log })
  const trusted = trustedProxies.length === 0 ? undefined : addressRanges(trustedProxies)
  return {
    setup: {
      frames,
      hstsMs: parseDuration(flags.ingressHsts),
      routes: () => routes,
      trusted,
      passesTls: file !== undefined,
      random: Math.random,
      randomBytes,
    },
    reload: () => void written?.reload(),
    watch: () => written?.watch(systemClock) ?? (() => {}),
  }
}

/** YAML is loaded by those who have some. */
const loadRoutes = async (options: RouteFileOptions) =>
  await (await import('../gateway/ingress/route-file.ts')).loadRoutes(options)
