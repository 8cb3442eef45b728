/**
 * From a target to addresses and a port number. A service is asked for by its absolute name, so that no search list of
 * resolv.conf can turn the question into another one, and through c-ares, which unlike getaddrinfo occupies no thread.
 */
import { promises as dns, type SrvRecord } from 'node:dns'
import { isIP } from 'node:net'
import { type Clock, systemClock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { formatTarget, type Target } from '../net/target.ts'
import { type Aliases, aliasesOf } from './aliases.ts'

export interface Address {
  readonly address: string
  readonly family: 4 | 6
}

export interface Resolved {
  /** At least one, at most 16, in the order to be tried. */
  readonly addresses: readonly Address[]
  readonly port: number
  /** Of a service: what its name stands for. */
  readonly aliases?: Aliases
}

export interface ResolverOptions {
  /** `cluster.local` nearly everywhere; see `clusterDomainOf`. */
  readonly clusterDomain: string
  /** IP or IP:PORT. Not empty: asked instead of the servers of resolv.conf, and nothing else when they are silent. */
  readonly servers?: readonly string[]
  readonly clock?: Clock
  /** For tests: stands for c-ares. */
  readonly nameServer?: Pick<dns.Resolver, 'resolve4' | 'resolve6' | 'resolveSrv' | 'resolveCname'>
  /** For tests: stands for getaddrinfo. */
  readonly lookup?: (name: string) => Promise<readonly { address: string; family: number }[]>
}

const cacheMs = 5_000
const cacheEntries = 1_024
export const MAX_ADDRESSES = 16
/** RFC 8305, section 3: how long the slower family may hold up the answer of the faster one. */
const resolutionDelayMs = 50

export class Resolver {
  readonly #domain: string
  readonly #clock: Clock
  readonly #nameServer: NonNullable<ResolverOptions['nameServer']>
  readonly #lookup: NonNullable<ResolverOptions['lookup']>
  readonly #mayFallBack: boolean
  /** Insertion order is age order: the first entry is the oldest. */
  readonly #cache = new Map<string, { readonly answer: Promise<Resolved>; readonly until: number }>()

  /** @throws TunnelError USAGE when a server is not IP or IP:PORT */
  constructor({ clusterDomain, servers = [], clock = systemClock, nameServer, lookup }: ResolverOptions) {
    this.#domain = clusterDomain.replace(/^\.+|\.+$/g, '')
    this.#clock = clock
    this.#nameServer = nameServer ?? cAres(servers)
    this.#lookup = lookup ?? (name => dns.lookup(name, { all: true }))
    this.#mayFallBack = servers.length === 0
  }

  /**
   * The addresses of `service.namespace.svc.<clusterDomain>.`; a port name is resolved by its SRV record first. Answers
   * are kept for at most 5 s, failures are not kept, and the same question is never asked twice at the same time.
   * @throws TunnelError DNS; GONE when `signal` aborts
   */
  resolve(target: Target, signal: AbortSignal): Promise<Resolved> {
    return this.#answer(formatTarget(target), () => this.#resolveService(target), signal)
  }

  /**
   * The addresses of a host of the static catalogue, as this machine sees it: /etc/hosts and search lists count.
   * @throws TunnelError DNS; GONE when `signal` aborts
   */
  resolveHost(host: string, port: number, signal: AbortSignal): Promise<Resolved> {
    const family = isIP(host)
    if (family === 4 || family === 6) return Promise.resolve({ addresses: [{ address: host, family }], port })
    return this.#answer(`${host}:${port}`, async () => ({ addresses: await this.#lookupAddresses(host), port }), signal)
  }

  #answer(question: string, ask: () => Promise<Resolved>, signal: AbortSignal): Promise<Resolved> {
    const held = this.#cache.get(question)
    if (held && this.#clock.now() < held.until) return unlessAborted(held.answer, question, signal)
    const fresh = { answer: ask(), until: this.#clock.now() + cacheMs }
    this.#cache.delete(question)
    this.#cache.set(question, fresh)
    if (this.#cache.size > cacheEntries) this.#cache.delete(this.#cache.keys().next().value ?? '')
    fresh.answer.catch(() => {
      if (this.#cache.get(question) === fresh) this.#cache.delete(question)
    })
    return unlessAborted(fresh.answer, question, signal)
  }

  async #resolveService({ service, namespace, port, protocol }: Target): Promise<Resolved> {
    const name = `${service}.${namespace}.svc.${this.#domain}.`
    if (typeof port === 'number') return await this.#named([name], port)
    const question = `_${port}._${protocol}.${name}`
    const records = await this.#nameServer.resolveSrv(question).catch(error => {
      throw dnsError(question, error)
    })
    const best = preferred(records)
    if (!best) throw dnsError(question, { code: 'ENOTFOUND' })
    return await this.#named(best.names, best.port)
  }

  /** The addresses and the aliases of the same names, asked for at the same time. */
  async #named(names: readonly string[], port: number): Promise<Resolved> {
    const aliases = aliasesOf(names, this.#domain, this.#nameServer)
    // Why there are no addresses is said first.
    aliases.catch(() => {})
    const way = { fellBack: false }
    const addresses = await this.#addresses(names, way)
    try {
      return { addresses, port, aliases: await aliases }
    } catch (error) {
      // Whoever is asked in place of a silent name server tells of no aliases; a server that does answer has to tell of them.
      if (way.fellBack && isSilence(error)) return { addresses, port }
      throw dnsError(names[0] ?? '', error)
    }
  }

  /** The addresses of all names together. One that fails is passed over as long as another one answers. */
  async #addresses(names: readonly string[], way: { fellBack: boolean }): Promise<Address[]> {
    const answers = await Promise.allSettled(names.map(name => this.#addressesOf(name, way)))
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
    const failed = answers.find(answer => answer.status === 'rejected')
    if (found.length === 0 && failed) throw failed.reason
    return interleave(found)
  }

  async #addressesOf(name: string, way: { fellBack: boolean }): Promise<readonly Address[]> {
    try {
      return await this.#bothFamilies(name)
    } catch (error) {
      if (!this.#mayFallBack || !isSilence(error)) throw dnsError(name, error)
      way.fellBack = true
      return await this.#lookupAddresses(name)
    }
  }

  /**
   * A and AAAA at the same time. When one has answers the other gets 50 ms more: name servers that drop AAAA, and kernels
   * that drop one of two simultaneous questions, would otherwise cost every connection seconds.
   */
  #bothFamilies(name: string): Promise<Address[]> {
    return new Promise((resolve, reject) => {
      const found: Address[] = []
      const failures: unknown[] = []
      let pending = 2
      let cancelDelay = () => {}
      const finish = () => {
        cancelDelay()
        if (found.length > 0) resolve(found)
        else reject(mostTelling(failures))
      }
      const settled = () => {
        pending -= 1
        if (pending === 0) finish()
        else if (found.length > 0) cancelDelay = this.#clock.after(resolutionDelayMs, finish)
      }
      const ask = (family: 4 | 6, question: Promise<string[]>) =>
        question
          .then(
            list => found.push(...list.map(address => ({ address, family }))),
            error => failures.push(error),
          )
          .then(settled)
      void ask(4, this.#nameServer.resolve4(name))
      void ask(6, this.#nameServer.resolve6(name))
    })
  }

  async #lookupAddresses(name: string): Promise<Address[]> {
    const found = await this.#lookup(name).catch(error => {
      throw dnsError(name, error)
    })
    return interleave(found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })))
  }
}

/** The cluster domain, out of the `svc.<domain>` entry that the kubelet writes into the search list of every pod. */
export function clusterDomainOf(resolvConfText: string): string | undefined {
  const searches = resolvConfText.split('\n').filter(line => /^\s*search\s/.test(line))
  const names = searches.at(-1)?.trim().split(/\s+/).slice(1) ?? []
  const [, domain] = /^svc\.([a-z0-9.-]*[a-z0-9])\.?$/.exec(names.find(name => name.startsWith('svc.')) ?? '') ?? []
  return domain
}

function cAres(servers: readonly string[]): dns.Resolver {
  // The second try waits longer: about 5 s of silence, which leaves getaddrinfo a chance within a dial of 10 s.
  const resolver = new dns.Resolver({ timeout: 1_500, tries: 2 })
  try {
    if (servers.length > 0) resolver.setServers(servers)
  } catch (error) {
    throw new TunnelError('USAGE', `a DNS server must be IP or IP:PORT, not ${servers.join(', ')}`, { cause: error })
  }
  return resolver
}

/**
 * The port of the first choice, and the names that have it (RFC 2782). A ClusterIP service has one record; a headless one
 * has a record per pod, all on the same port unless `targetPort` is a name that the pods define differently.
 */
function preferred(records: readonly SrvRecord[]): { names: string[]; port: number } | undefined {
  const usable = records.filter(({ name, port }) => port > 0 && name !== '' && name !== '.')
  const best = usable.sort((a, b) => a.priority - b.priority || b.weight - a.weight)[0]
  if (!best) return undefined
  const same = usable.filter(({ priority, port }) => priority === best.priority && port === best.port)
  const names = new Set(same.map(({ name }) => `${name.replace(/\.$/, '')}.`))
  return { names: [...names].slice(0, MAX_ADDRESSES), port: best.port }
}

/** Families in turn, so that a broken one costs one attempt. IPv4 first: every cluster network has it, few have IPv6. */
function interleave(addresses: readonly Address[]): Address[] {
  const v4 = addresses.filter(({ family }) => family === 4)
  const v6 = addresses.filter(({ family }) => family === 6)
  const turns = Array.from({ length: Math.max(v4.length, v6.length) }, (_, i) => [v4[i], v6[i]])
  return turns
    .flat()
    .filter(address => address !== undefined)
    .slice(0, MAX_ADDRESSES)
}

const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? 'unknown error'
const isSilence = (error: unknown): boolean => ['ECONNREFUSED', 'ETIMEOUT'].includes(codeOf(error))

/** "No such name" settles the matter for both families; "no such record" says the least. */
function mostTelling(failures: readonly unknown[]): unknown {
  const byCode = (wanted: string) => failures.find(failure => codeOf(failure) === wanted)
  return byCode('ENOTFOUND') ?? failures.find(failure => codeOf(failure) !== 'ENODATA') ?? failures[0]
}

const failureWords: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such name',
  ENODATA: 'the name exists but nothing is behind it',
  ETIMEOUT: 'no name server answered in time',
  ECONNREFUSED: 'no name server can be reached',
  EAI_AGAIN: 'no name server can be reached',
  EREFUSED: 'the name server refused to answer',
  ESERVFAIL: 'the name server failed',
}

function dnsError(name: string, error: unknown): TunnelError {
  const code = codeOf(error)
  const message = `cannot resolve ${name.replace(/\.$/, '')}: ${failureWords[code] ?? code}`
  // The developer reads the message, not the hint of this end.
  const [, port] = /^_([^.]+)\./.exec(name) ?? []
  if (port !== undefined && (code === 'ENOTFOUND' || code === 'ENODATA')) {
    const about = `no port is named ${port} there, or the service is not: ${message}`
    return new TunnelError('DNS', about, { cause: error, hint: 'check the name of the port, or give its number' })
  }
  if (code === 'ENODATA')
    return new TunnelError('DNS', message, { cause: error, hint: 'check that the service has ready endpoints' })
  if (code === 'ENOTFOUND') return new TunnelError('DNS', message, { cause: error })
  return new TunnelError('DNS', message, { cause: error, hint: 'check the DNS of the agent', retryable: true })
}

function unlessAborted<T>(promise: Promise<T>, question: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new TunnelError('GONE', `the question for ${question} was given up`))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    const settled = () => signal.removeEventListener('abort', abort)
    promise.then(resolve, reject).then(settled, settled)
  })
}
