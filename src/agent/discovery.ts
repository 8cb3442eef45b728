/**
 * The services of the cluster, as the Kubernetes API tells them: what there is, what of it is ready, and each change. Without the
 * API everything can still be reached by name; it is only not listed.
 */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { ApiError, type KubernetesApi } from '../kubernetes/api.ts'
import { type ClusterService, type Slice, serviceFrom, sliceFrom } from '../kubernetes/objects.ts'
import { reflect } from '../kubernetes/reflector.ts'
import type { PublishedService } from '../net/published.ts'
import { formatTarget, type Target } from '../net/target.ts'
import type { Log } from '../observe/log.ts'
import { type Pods, podsOf } from './pods.ts'
import type { CatalogueChange } from './publish.ts'

export interface DiscoveryOptions {
  readonly api: KubernetesApi
  /** Undefined: the whole cluster. */
  readonly namespaces?: readonly string[]
  /** Of the services that are told of. */
  readonly labelSelector?: string
  /** `service/namespace` of those that the agent lists itself: they are told by it, and not from here. */
  readonly listed?: ReadonlySet<string>
  readonly clock: Clock
  readonly wallNow: () => number
  readonly random: () => number
  readonly log: Log
  /** What is different since the last time, some 50 ms after it was. */
  readonly changed: (change: CatalogueChange) => void
}

/** Changes that come together are told together: a rollout is hundreds of them. */
const GATHER_MS = 50

interface Kind {
  readonly resource: string
  readonly group: string
  readonly replaced: (objects: readonly Record<string, unknown>[], namespace: string | undefined) => void
  readonly changed: (type: string, object: Record<string, unknown>) => void
}

export class Discovery {
  readonly #options: DiscoveryOptions
  readonly #services = new Map<string, ClusterService>()
  /** By service, then by the slice's own name. */
  readonly #slices = new Map<string, Map<string, Slice>>()
  /** What was told, by service: nothing is told twice. */
  readonly #told = new Map<string, string>()
  readonly #dirty = new Set<string>()
  #cancelFlush: (() => void) | undefined
  #slicesKnown = false
  /** Watches that have been heard before, and are not now. */
  readonly #silent = new Set<string>()
  #staleSince: number | undefined

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  /** Runs until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { namespaces = [undefined] } = this.#options
    const kinds: Kind[] = [
      {
        resource: 'services',
        group: '/api/v1',
        replaced: (objects, namespace) => this.#replaceServices(objects, namespace),
        changed: (type, object) => this.#changeService(type, object),
      },
      {
        resource: 'endpointslices',
        group: '/apis/discovery.k8s.io/v1',
        replaced: (objects, namespace) => this.#replaceSlices(objects, namespace),
        changed: (type, object) => this.#changeSlice(type, object),
      },
    ]
    const all = kinds.flatMap(kind => namespaces.map(namespace => this.#reflect(kind, namespace, signal)))
    await Promise.all(all)
    this.#cancelFlush?.()
  }

  /** All that is known now. */
  *services(): Iterable<PublishedService> {
    for (const [key, service] of this.#services) if (!this.#isListed(key)) yield this.#published(service)
  }

  /** Milliseconds since 1970: since when the API tells nothing new. Undefined while it does. */
  get staleSince(): number | undefined {
    return this.#staleSince
  }

  /** Why nobody will answer at the target; undefined when somebody may, or nothing newer is known. */
  notReady(target: Target): TunnelError | undefined {
    const key = `${target.service}/${target.namespace}`
    const service = this.#services.get(key)
    if (service === undefined || this.#staleSince !== undefined || this.#isReady(service)) return undefined
    return new TunnelError('UNREACHABLE', `cannot reach ${formatTarget(target)}: the service has no ready endpoints`, {
      hint: `see: kubectl get pods -n ${target.namespace}`,
    })
  }

  /**
   * The pods that a target of kind `pod` or `deploy` means, those of a deployment in an order of chance.
   * @throws TunnelError UNREACHABLE when there are none, or the port has no number
   */
  pods(target: Target): Pods {
    if (!this.#slicesKnown) {
      const message = `cannot reach ${formatTarget(target)}: the agent does not see the endpoints of services`
      throw new TunnelError('UNREACHABLE', message, { hint: "the agent's log says which right is missing" })
    }
    return podsOf(target, this.#slicesIn(target.namespace), this.#options.random)
  }

  *#slicesIn(namespace: string): Iterable<Slice> {
    for (const slices of this.#slices.values()) {
      const [first] = slices.values()
      if (first?.namespace === namespace) yield* slices.values()
    }
  }

  async #reflect(kind: Kind, namespace: string | undefined, signal: AbortSignal): Promise<void> {
    const { api, labelSelector, clock, random } = this.#options
    const below = namespace === undefined ? '' : `/namespaces/${namespace}`
    let state: 'new' | 'refused' | 'watching' | 'silent' = 'new'
    const name = `${kind.resource} ${namespace ?? ''}`
    await reflect(
      {
        api,
        path: `${kind.group}${below}/${kind.resource}`,
        labelSelector: kind.resource === 'services' ? labelSelector : undefined,
        clock,
        random,
        reflection: {
          replaced: objects => kind.replaced(objects, namespace),
          changed: kind.changed,
          watching: () => {
            if (state === 'refused' || state === 'silent')
              this.#options.log.info('discovery goes on', { resource: kind.resource })
            state = 'watching'
            this.#hears(name, true)
          },
          failed: error => {
            if (state === 'new' || state === 'watching') this.#complain(kind, namespace, error)
            state = state === 'watching' || state === 'silent' ? 'silent' : 'refused'
            // What was never heard is not old, but unknown.
            if (state === 'silent') this.#hears(name, false)
          },
        },
      },
      signal,
    )
  }

  #hears(watch: string, heard: boolean): void {
    if (heard) this.#silent.delete(watch)
    else this.#silent.add(watch)
    const stale = this.#silent.size > 0
    if (stale === (this.#staleSince !== undefined)) return
    this.#staleSince = stale ? this.#options.wallNow() : undefined
    this.#options.changed({ set: [], remove: [], staleSince: this.#staleSince ?? null })
  }

  /** Once for each time that it begins to fail: what was told stays as it was. */
  #complain({ resource }: Kind, namespace: string | undefined, error: Error): void {
    const { log } = this.#options
    if (!(error instanceof ApiError) || error.status !== 403) return log.warn('discovery failed', { resource, error })
    const [kind, where] = namespace === undefined ? ['clusterrole', ''] : ['role', ` -n ${namespace}`]
    const grant = `kubectl create ${kind} tunnelctl-agent --verb=get,list,watch --resource=services,endpointslices.discovery.k8s.io${where}`
    log.warn('discovery forbidden', { verbs: 'get, list, watch', resource, grant, error })
  }

  #replaceServices(objects: readonly Record<string, unknown>[], namespace: string | undefined): void {
    const now = new Map<string, ClusterService>()
    for (const object of objects) {
      const service = serviceFrom(object)
      if (service !== undefined) now.set(keyOf(service), service)
    }
    for (const [key, service] of this.#services) {
      if ((namespace === undefined || service.namespace === namespace) && !now.has(key)) this.#forget(key)
    }
    for (const [key, service] of now) this.#keep(key, service)
  }

  #changeService(type: string, object: Record<string, unknown>): void {
    const { name, namespace } = (object.metadata ?? {}) as Record<string, unknown>
    const service = type === 'DELETED' ? undefined : serviceFrom(object)
    if (service === undefined) this.#forget(`${String(name)}/${String(namespace)}`)
    else this.#keep(keyOf(service), service)
  }

  #replaceSlices(objects: readonly Record<string, unknown>[], namespace: string | undefined): void {
    this.#slicesKnown = true
    for (const [key, slices] of this.#slices) {
      const [first] = slices.values()
      if (namespace !== undefined && first?.namespace !== namespace) continue
      this.#slices.delete(key)
      this.#touch(key)
    }
    for (const object of objects) this.#changeSlice('ADDED', object)
    for (const key of this.#services.keys()) this.#touch(key)
  }

  #changeSlice(type: string, object: Record<string, unknown>): void {
    const slice = sliceFrom(object)
    if (slice === undefined) return
    const key = keyOf(slice)
    const slices = this.#slices.get(key) ?? new Map<string, Slice>()
    if (type === 'DELETED') slices.delete(slice.name)
    else slices.set(slice.name, slice)
    if (slices.size === 0) this.#slices.delete(key)
    else this.#slices.set(key, slices)
    this.#touch(key)
  }

  #keep(key: string, service: ClusterService): void {
    this.#services.set(key, service)
    this.#touch(key)
  }

  #forget(key: string): void {
    if (this.#services.delete(key)) this.#touch(key)
  }

  #touch(key: string): void {
    this.#dirty.add(key)
    this.#cancelFlush ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelFlush = undefined
      this.#flush()
    })
  }

  #flush(): void {
    const set: PublishedService[] = []
    const remove: string[] = []
    for (const key of this.#dirty) {
      if (this.#isListed(key)) continue
      const service = this.#services.get(key)
      const published = service === undefined ? undefined : this.#published(service)
      const text = published === undefined ? undefined : JSON.stringify(published)
      if (text === this.#told.get(key)) continue
      if (published === undefined || text === undefined) {
        this.#told.delete(key)
        remove.push(key)
      } else {
        this.#told.set(key, text)
        set.push(published)
      }
    }
    this.#dirty.clear()
    if (set.length > 0 || remove.length > 0) this.#options.changed({ set, remove })
  }

  #isListed(key: string): boolean {
    return this.#options.listed?.has(key) === true
  }

  #published(service: ClusterService): PublishedService {
    const { service: name, namespace, ports } = service
    return { service: name, namespace, ports, ...(!this.#isReady(service) && { ready: false }) }
  }

  /** As far as is known: while slices were never told, everybody may be. */
  #isReady(service: ClusterService): boolean {
    if (!service.selects || !this.#slicesKnown) return true
    return [...(this.#slices.get(keyOf(service))?.values() ?? [])].some(({ endpoints }) =>
      endpoints.some(({ ready }) => ready),
    )
  }
}

const keyOf = ({ service, namespace }: { readonly service: string; readonly namespace: string }): string =>
  `${service}/${namespace}`
