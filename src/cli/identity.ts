/** The flags of `tunnelctl gateway` that say who may come in, and what they mean. */
import type { Option } from 'commander'
import { systemClock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { Authenticator } from '../gateway/auth.ts'
import type { Cluster } from '../gateway/cluster.ts'
import { keysById, loadVerifyKeys } from '../gateway/keys.ts'
import type { OidcIssuer } from '../gateway/oidc.ts'
import { Reloaded, type ReloadedOptions } from '../gateway/reloaded.ts'
import { isLoopback } from '../net/loopback.ts'
import { quote } from '../net/quote.ts'
import type { Log } from '../observe/log.ts'
import type { Io } from './io.ts'
import { option, repeated, timerFlag } from './options.ts'

export interface IdentityFlags {
  readonly verifyKey?: readonly string[]
  readonly maxTokenTtl?: string
  readonly clusters?: string
  readonly oidcIssuer?: string
  readonly oidcAudience?: string
  readonly oidcScopes: string
  readonly oidcRules?: string
  readonly clientCa?: string
  readonly clientRules?: string
  readonly revoked?: string
}

export const identityOptions = (): Option[] => [
  repeated('--verify-key <file...>', 'public key to check tokens with: the FILE.pub of token keygen'),
  option('--max-token-ttl <duration>', 'refuse tokens that were made for longer; default: any'),
  option('--clusters <file>', 'YAML: clusters whose service accounts are agents, without a secret of ours'),
  option('--oidc-issuer <url>', 'let people in who log in there: an OpenID Connect provider'),
  option('--oidc-audience <client-id>', 'the client id of tunnelctl at the issuer'),
  option('--oidc-rules <file>', 'YAML: who may do what, by the claims of their tokens'),
  option('--oidc-scopes <scopes>', 'what tunnelctl login asks the issuer for').default('openid email offline_access'),
  option('--client-ca <file>', 'PEM: authorities whose certificates let in, in place of tokens'),
  option('--client-rules <file>', 'YAML: whom those certificates stand for, and what they may do'),
  option('--revoked <file>', 'YAML: tokens, people and certificates that must not come in any more'),
]

/** What stays to be looked after while the gateway runs. */
export interface Identity {
  readonly authenticator: Authenticator
  /** Each is read again when its files change, and when it is asked to. */
  readonly readings: readonly Pick<Reloaded<unknown>, 'reload' | 'watch'>[]
}

/**
 * @param devKey the public key of `--dev`
 * @param revoked called when others may have been revoked than before
 * @throws TunnelError USAGE when nobody could come in, KEY_FILE
 */
export async function identityFrom(
  flags: IdentityFlags,
  { devKey, revoked, log }: { readonly devKey: string | undefined; readonly revoked: () => void; readonly log: Log },
  io: Io,
): Promise<Identity> {
  const files = [...(flags.verifyKey ?? []), ...(devKey === undefined ? [] : [devKey])]
  const clusters = await clustersFrom(flags, io)
  if (files.length === 0 && clusters.length === 0 && flags.clientCa === undefined) {
    throw new TunnelError('USAGE', 'no key to check tokens with was given', {
      hint: 'give --verify-key FILE.pub (tunnelctl token keygen makes one), or try --dev',
    })
  }
  const maxTtlMs = flags.maxTokenTtl === undefined ? undefined : timerFlag('--max-token-ttl', flags.maxTokenTtl, 1_000)
  const keys = await reloadedIf(files.length > 0, {
    what: 'verify keys',
    files,
    read: async () => keysById(await loadVerifyKeys(files)),
    describe: read => ({ ids: [...read.keys()] }),
    log,
  })
  const certificates = await clientRulesFrom(flags, log)
  const revocations = await revocationsFrom(flags, revoked, log)
  const authenticator = new Authenticator({
    keys: keys && (() => keys.current),
    oidc: await oidcFrom(flags),
    clusters,
    certificates: certificates && (() => certificates.current),
    isRevoked: revocations?.isRevoked,
    now: Date.now,
    maxTtlMs,
  })
  return { authenticator, readings: [keys, certificates, revocations?.readings].filter(each => each !== undefined) }
}

const reloadedIf = async <T>(isWanted: boolean, options: ReloadedOptions<T>): Promise<Reloaded<T> | undefined> =>
  isWanted ? await Reloaded.load(options) : undefined

async function clientRulesFrom({ clientCa, clientRules }: IdentityFlags, log: Log) {
  if ((clientCa === undefined) !== (clientRules === undefined))
    throw new TunnelError('USAGE', '--client-ca and --client-rules go together')
  if (clientRules === undefined) return undefined
  const { ClientCertificates } = await import('../gateway/client-certificates.ts')
  return await Reloaded.load({
    what: 'client rules',
    files: [clientRules],
    read: () => ClientCertificates.load(clientRules),
    describe: () => ({ file: clientRules }),
    log,
  })
}

async function revocationsFrom({ revoked: file }: IdentityFlags, changed: () => void, log: Log) {
  if (file === undefined) return undefined
  const { isRevoked, loadRevocations } = await import('../gateway/revocations.ts')
  const readings = await Reloaded.load({
    what: 'revocations',
    files: [file],
    read: () => loadRevocations(file),
    changed,
    describe: ({ tokenIds, subjects }) => ({ entries: tokenIds.size + subjects.size }),
    log,
  })
  const isRevokedNow: NonNullable<ConstructorParameters<typeof Authenticator>[0]['isRevoked']> = principal =>
    isRevoked(readings.current, principal)
  return { readings, isRevoked: isRevokedNow }
}

async function clustersFrom({ clusters: file }: IdentityFlags, { env }: Io): Promise<readonly Cluster[]> {
  if (file === undefined) return []
  const { Cluster, loadClusters } = await import('../gateway/cluster.ts')
  const all = await loadClusters(file, env)
  return all.map(settings => new Cluster(settings, () => systemClock.now()))
}

async function oidcFrom(flags: IdentityFlags): Promise<OidcIssuer | undefined> {
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
  const [oidc, { loadRules }] = await Promise.all([import('../gateway/oidc.ts'), import('../gateway/rules.ts')])
  return new oidc.OidcIssuer({
    issuer,
    audience,
    scopes: oidcScopes.split(/[\s,]+/).filter(scope => scope !== ''),
    rules: await loadRules(oidcRules),
    monotonicNow: () => systemClock.now(),
  })
}
