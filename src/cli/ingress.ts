/** The flags of `tunnelctl gateway` that are about its ingress, and what they mean. */
import { randomBytes } from 'node:crypto'
import type { Option } from 'commander'
import { TunnelError } from '../errors.ts'
import type { IngressSetup } from '../gateway/gateway.ts'
import type { FrameDetail } from '../gateway/ingress/frames.ts'
import { Routes } from '../gateway/ingress/routes.ts'
import { addressRanges } from '../net/cidr.ts'
import { matches, parsePattern } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'
import { option, repeated, timerFlag } from './options.ts'

export interface IngressFlags {
  readonly ingressDomain?: string
  readonly ingressPublic?: readonly string[]
  readonly ingressTimeout: string
  readonly ingressIdleTimeout: string
  readonly trustedProxies?: readonly string[]
  readonly logFrames: FrameDetail
}

export const ingressOptions = (): Option[] => [
  option(
    '--ingress-domain <domain>',
    'serve services as HTTP: service--namespace--port.DOMAIN is one, and with --agent behind it that of one agent',
  ),
  repeated('--ingress-public <pattern...>', 'services below the domain that need no token, as web/prod:80'),
  option('--ingress-timeout <duration>', 'how long a service may take to begin its answer').default('60s'),
  option(
    '--ingress-idle-timeout <duration>',
    'how long a transfer, or an upgraded connection, may stand still',
  ).default('10m'),
  option('--log-frames <detail>', 'what the log has of WebSocket frames that pass: off, totals, or each')
    .choices(['off', 'totals', 'each'])
    .default('off'),
  repeated('--trusted-proxies <cidr...>', 'proxies in front, whose X-Forwarded-* headers are believed'),
]

/**
 * Undefined when no ingress is asked for.
 * @throws TunnelError USAGE
 */
export function ingressFrom(flags: IngressFlags): IngressSetup | undefined {
  const { ingressDomain: domain, ingressPublic = [], trustedProxies = [] } = flags
  if (domain === undefined) return undefined
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(domain)) {
    throw new TunnelError('USAGE', `--ingress-domain ${quote(domain)} is no domain`)
  }
  const patterns = ingressPublic.map(parsePattern)
  const routes = new Routes({
    routes: [],
    domain,
    isPublic: target => patterns.some(pattern => matches(pattern, target)),
    defaults: {
      responseTimeoutMs: timerFlag('--ingress-timeout', flags.ingressTimeout),
      idleTimeoutMs: timerFlag('--ingress-idle-timeout', flags.ingressIdleTimeout),
    },
  })
  const { logFrames: frames } = flags
  return { frames, routes: () => routes, trusted: addressRanges(trustedProxies), random: Math.random, randomBytes }
}
