/**
 * Agents without a secret of their own: a cluster vouches for them. The token of a pod's service account, made for this gateway, is
 * checked with the keys of the cluster's issuer, or by the cluster itself (TokenReview), and stands for the agent that the
 * operator has named:
 *
 *     clusters:
 *       - issuer: https://kubernetes.default.svc.cluster.local
 *         agents: [{ account: tunnelctl/tunnelctl-agent, name: prod }]
 */
import { decodeJwt } from 'jose'
import { TunnelError } from '../errors.ts'
import { ApiError, KubernetesApi, podAccess } from '../kubernetes/api.ts'
import { isAgentName, isSubject } from '../net/claims.ts'
import { isLoopback } from '../net/loopback.ts'
import { quote } from '../net/quote.ts'
import { filedKeys, IssuerKeys, keysUnavailable, publishedKeys } from './jwks.ts'
import { ISSUER_ALGORITHMS, refused, type TokenChecks, verifyToken } from './jwt.ts'
import { freezePrincipal, type Principal } from './principal.ts'
import { Settings } from './settings.ts'

export interface ClusterSettings {
  readonly issuer: string
  readonly audience: string
  /** A JWKS file. Absent: the issuer publishes its keys. */
  readonly keys?: string
  /** Asks the API whether a token holds: only it knows that a pod is gone. */
  readonly review?: { readonly api: KubernetesApi }
  /** By `namespace/name` of the service account. */
  readonly agents: ReadonlyMap<string, string>
}

type Env = Readonly<Record<string, string | undefined>>

const HINT = 'see "In Kubernetes" in docs/operations.md'
const AUDIENCE = 'tunnelctl-gateway'
const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews'
const REVIEW_TIMEOUT_MS = 5_000
const ACCOUNT = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

export class Cluster {
  readonly issuer: string
  readonly #settings: ClusterSettings
  readonly #keys: IssuerKeys

  constructor(settings: ClusterSettings, monotonicNow: () => number) {
    const { issuer, keys } = settings
    this.issuer = issuer
    this.#settings = settings
    const source = keys === undefined ? publishedKeys(issuer) : filedKeys(issuer, keys)
    this.#keys = new IssuerKeys({ source, monotonicNow })
  }

  /** @throws TunnelError UNAUTHENTICATED, FORBIDDEN for an account that is no agent, OVERLOAD when nobody can say */
  async principal(token: string, { now, maxTtlMs }: Pick<TokenChecks, 'now' | 'maxTtlMs'>): Promise<Principal> {
    const { issuer, audience, review, agents } = this.#settings
    const key: TokenChecks['key'] = header => this.#keys.key(header)
    const claims =
      review === undefined
        ? await verifyToken(token, { issuer, audience, algorithms: ISSUER_ALGORITHMS, now, maxTtlMs, key })
        : await reviewed(token, review.api, this.#settings)
    const subject = String(claims.sub)
    const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(subject) ?? []
    const agent = namespace === undefined ? undefined : agents.get(`${namespace}/${name}`)
    if (agent === undefined || !isSubject(subject)) {
      throw new TunnelError('FORBIDDEN', `${quote(subject)} is no agent of this gateway`, {
        hint: 'the operator names it in the file of --clusters',
      })
    }
    const tokenId = typeof claims.jti === 'string' ? claims.jti : ''
    return freezePrincipal({
      role: 'agent',
      subject,
      agents: [agent],
      allow: [],
      expiresAt: Number(claims.exp) * 1000,
      tokenId,
    })
  }
}

/** @throws TunnelError USAGE naming the first thing that is wrong */
export async function loadClusters(file: string, env: Env): Promise<readonly ClusterSettings[]> {
  return clustersOf(await Settings.load(file, 'clusters', HINT), env)
}

/** @throws TunnelError USAGE */
export const parseClusters = (text: string, file: string, env: Env = {}): readonly ClusterSettings[] =>
  clustersOf(new Settings(text, `the clusters in ${file}`, HINT), env)

function clustersOf(settings: Settings, env: Env): readonly ClusterSettings[] {
  const { clusters } = settings.fields(settings.value, ['clusters'], 'it')
  const all = settings.list(clusters, 'clusters').map((each, index) => clusterOf(settings, each, index + 1, env))
  if (new Set(all.map(({ issuer }) => issuer)).size < all.length) throw settings.malformed('two have one issuer')
  return all
}

function clusterOf(settings: Settings, value: unknown, position: number, env: Env): ClusterSettings {
  const what = `cluster ${position}`
  const known = ['issuer', 'audience', 'keys', 'review', 'api', 'agents']
  const { issuer, audience = AUDIENCE, keys, review = false, api, agents } = settings.fields(value, known, what)
  const url = settings.text(issuer, `${what}: issuer`)
  if (typeof review !== 'boolean') throw settings.malformed(`${what}: review is true or false`)
  if (review && keys !== undefined) throw settings.malformed(`${what}: keys and review are two ways to one end`)
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' }
  const safe = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  if (!safe) throw settings.malformed(`${what}: the issuer is no https URL`)
  return {
    issuer: url,
    audience: settings.text(audience, `${what}: audience`),
    ...(keys !== undefined && { keys: settings.text(keys, `${what}: keys`) }),
    ...(review && { review: { api: apiOf(settings, api, what, env) } }),
    agents: agentsOf(settings, agents, what),
  }
}

function apiOf(settings: Settings, api: unknown, what: string, env: Env): KubernetesApi {
  if (api !== undefined) return new KubernetesApi({ url: settings.parsed(what, () => new URL(String(api))) })
  const access = podAccess(env)
  if (access !== undefined) return new KubernetesApi(access)
  throw settings.malformed(`${what}: review asks the cluster that the gateway runs in, and it runs in none`)
}

function agentsOf(settings: Settings, value: unknown, what: string): ReadonlyMap<string, string> {
  const agents = new Map<string, string>()
  for (const each of settings.list(value, `${what}: agents`)) {
    const { account, name } = settings.fields(each, ['account', 'name'], `${what}: an agent`)
    if (typeof account !== 'string' || !ACCOUNT.test(account)) {
      throw settings.malformed(`${what}: an account is written namespace/name`)
    }
    if (typeof name !== 'string' || !isAgentName(name)) throw settings.malformed(`${what}: name is not one of an agent`)
    if (agents.has(account)) throw settings.malformed(`${what}: ${account} is there twice`)
    agents.set(account, name)
  }
  return agents
}

/** Kubernetes API, TokenReview v1. What it has authenticated, its claims say truly. */
async function reviewed(
  token: string,
  api: KubernetesApi,
  { issuer, audience }: ClusterSettings,
): Promise<Readonly<Record<string, unknown>>> {
  const spec = { token, audiences: [audience] }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec }
  let status: unknown
  try {
    status = (await api.post(REVIEWS, body, AbortSignal.timeout(REVIEW_TIMEOUT_MS))).status
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 403) {
      throw keysUnavailable(issuer, "the gateway's account may not review tokens: bind it to system:auth-delegator")
    }
    throw keysUnavailable(issuer, 'the API of its cluster does not answer')
  }
  const { authenticated, audiences, user } = (status ?? {}) as Record<string, unknown>
  const { username } = (user ?? {}) as { username?: unknown }
  // An API that knows nothing of audiences says so by naming none.
  const meant = Array.isArray(audiences) && audiences.includes(audience)
  if (authenticated !== true || !meant) throw refused('the cluster does not know this token', 'get a new token')
  const { exp, jti, sub } = decodeJwt(token)
  if (typeof exp !== 'number' || sub !== username) throw refused('the token is not that of a service account')
  return { exp, jti, sub }
}
