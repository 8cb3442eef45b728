/**
 * The variables of the environment that mean something here. One that means nothing is an error: a gateway whose operator has set
 * a limit, or a key, under a wrong name must not run without it (CVE-2024-43798).
 */
import { TunnelError } from '../errors.ts'

type Env = Readonly<Record<string, string | undefined>>

const PREFIX = 'TUNNELCTL_'

/** Those of the options of all commands, for one environment serves them all; a test holds them against the commands. */
export const optionVariables: ReadonlySet<string> = new Set(
  `ADDRESS ADMIN_LISTEN AGENT ALLOW ALLOW_EXTERNAL ALLOW_PLAINTEXT CA_FILE CLIENT_CA CLIENT_CERT CLIENT_KEY CLIENT_RULES CLUSTERS
  CLUSTER_DOMAIN CONTEXT DENY DETACHED_MEMORY DETACHED_TTL DIAL_TIMEOUT DISCOVERY DISCOVERY_NAMESPACES DISCOVERY_SELECTOR
  DNS_SERVER DRAIN_TIMEOUT FILE GATEWAY GROUP HEADER HEADER_FILE HEALTH_LISTEN HOLD_TIMEOUT HTTP_LISTEN INGRESS_DOMAIN
  INGRESS_HSTS INGRESS_IDLE_TIMEOUT INGRESS_PUBLIC INGRESS_TIMEOUT INSECURE_SKIP_VERIFY KEY KUBERNETES_API LIMIT LISTEN
  LOG_FORMAT LOG_FRAMES LOG_LEVEL MAX_TOKEN_TTL NAME NAMESPACE OIDC_AUDIENCE OIDC_ISSUER OIDC_RULES OIDC_SCOPES OUT OUTPUT
  PING_INTERVAL PLAIN QUIET READY_FILE REDIAL_EVERY REVOKED ROLE ROUTES SERVICE SHOW_ORIGIN SOCKS5 STATS_INTERVAL SUBJECT
  TLS_CERT TLS_KEY TLS_SERVER_NAME TOKEN_FILE TRUSTED_PROXIES TTL UDP_IDLE_TIMEOUT VERBOSE VERIFY_KEY`
    .split(/\s+/)
    .map(name => PREFIX + name),
)

/** Beside the options: a token, the configuration, and what a command behind `--` gets, where it may run tunnelctl again. */
const ownVariable = /^TUNNELCTL_(TOKEN|CONFIG|(HOST|PORT)\d*)$/
/** What Kubernetes puts into pods for a Service `tunnelctl-…` in their namespace. */
const serviceLink = /_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

/** @throws TunnelError USAGE naming the first variable that means nothing */
export async function checkVariables(env: Env): Promise<void> {
  const unknown = Object.keys(env).find(name => name.startsWith(PREFIX) && (env[name] ?? '') !== '' && !isKnown(name))
  if (unknown === undefined) return
  const { nearestName } = await import('./nearest.ts')
  const names = [...optionVariables].map(name => name.slice(PREFIX.length))
  const meant = nearestName(unknown.slice(PREFIX.length), [...names, 'TOKEN', 'CONFIG'])
  throw new TunnelError('USAGE', `${unknown} is set in the environment, and means nothing`, {
    hint:
      meant === undefined ? 'unset it, or see the options of the command in --help' : `did you mean ${PREFIX}${meant}?`,
  })
}

const isKnown = (name: string): boolean => optionVariables.has(name) || ownVariable.test(name) || serviceLink.test(name)
