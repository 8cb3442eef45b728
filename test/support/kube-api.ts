/** A Kubernetes API as far as lists and watches of Services and EndpointSlices go: pages, versions, bookmarks, 410, 403. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Scope } from './tunnel.ts'

interface Meta {
  readonly name: string
  readonly namespace: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}
type Stored = { readonly metadata: Meta & { resourceVersion: string } } & Record<string, unknown>
interface Watcher {
  readonly namespace: string | undefined
  readonly response: ServerResponse
}

const PATH = /^\/(?:api\/v1|apis\/discovery\.k8s\.io\/v1)(?:\/namespaces\/([^/]+))?\/(services|endpointslices)$/

export class KubeApi {
  url = ''
  /** Smaller than is asked for, as an API under load gives. */
  pageSize = 2
  /** Answers every request for this resource so, in place of what it would say. */
  readonly refusals = new Map<string, { status: number; message: string }>()
  /** Each request: its resource, and `list` or `watch`. */
  readonly asked: string[] = []
  /** By token: what TokenReview says of it. */
  readonly reviews = new Map<string, object>()
  readonly #objects: Readonly<Record<string, Map<string, Stored>>> = { services: new Map(), endpointslices: new Map() }
  readonly #watchers: Readonly<Record<string, Set<Watcher>>> = { services: new Set(), endpointslices: new Set() }
  #version = 1
  /** Watches from before this version are refused with 410. */
  #oldest = 0
  #refusal: 'status' | 'event' = 'status'

  static async start(scope: Scope): Promise<KubeApi> {
    const api = new KubeApi()
    const server = createServer((request, response) => api.#serve(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    scope.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return api
  }

  get watches(): number {
    return Object.values(this.#watchers).reduce((total, each) => total + each.size, 0)
  }

  put(resource: 'services' | 'endpointslices', metadata: Meta, rest: object): void {
    const key = `${metadata.namespace}/${metadata.name}`
    const known = this.#objects[resource]?.has(key)
    const object: Stored = { metadata: { ...metadata, resourceVersion: String(++this.#version) }, ...rest }
    this.#objects[resource]?.set(key, object)
    this.#tell(resource, known ? 'MODIFIED' : 'ADDED', object)
  }

  delete(resource: 'services' | 'endpointslices', namespace: string, name: string): void {
    const object = this.#objects[resource]?.get(`${namespace}/${name}`)
    if (object === undefined) throw new Error(`there is no ${namespace}/${name}`)
    this.#objects[resource]?.delete(`${namespace}/${name}`)
    this.#tell(resource, 'DELETED', {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.#version) },
    })
  }

  service(
    namespace: string,
    name: string,
    ports: readonly object[],
    more: Partial<Meta> & { selector?: object } = {},
  ): void {
    const { selector = { app: name }, ...meta } = more
    this.put('services', { name, namespace, ...meta }, { spec: { ports, selector } })
  }

  slice(namespace: string, service: string, ready: readonly boolean[], name = `${service}-1`): void {
    this.endpoints(
      namespace,
      service,
      ready.map(each => ({ addresses: ['10.0.0.1'], conditions: { ready: each } })),
      name,
    )
  }

  endpoints(
    namespace: string,
    service: string,
    endpoints: readonly object[],
    name = `${service}-1`,
    ports: readonly object[] = [],
  ): void {
    const labels = { 'kubernetes.io/service-name': service }
    this.put('endpointslices', { name, namespace, labels }, { endpoints, ports })
  }

  bookmark(): void {
    const metadata = { resourceVersion: String(++this.#version) }
    this.#send('services', undefined, { type: 'BOOKMARK', object: { kind: 'Service', metadata } })
  }

  /** Ends all watches; those that go on from before now get 410, as a status or, as API servers mostly say it, as an event. */
  forget(how: 'status' | 'event'): void {
    this.#oldest = ++this.#version
    this.#refusal = how
    this.endWatches()
  }

  endWatches(): void {
    for (const watchers of Object.values(this.#watchers)) {
      for (const { response } of watchers) response.end()
      watchers.clear()
    }
  }

  #tell(resource: string, type: string, object: Stored): void {
    this.#send(resource, object.metadata.namespace, { type, object })
  }

  #send(resource: string, namespace: string | undefined, event: object): void {
    for (const watcher of this.#watchers[resource] ?? []) {
      if (namespace !== undefined && watcher.namespace !== undefined && watcher.namespace !== namespace) continue
      watcher.response.write(`${JSON.stringify(event)}\n`)
    }
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url)
    if (request.method === 'POST') return void this.#review(request, response)
    const [, namespace, resource = ''] = PATH.exec(pathname) ?? []
    const watching = searchParams.get('watch') === 'true'
    this.asked.push(`${watching ? 'watch' : 'list'} ${resource}${namespace === undefined ? '' : ` in ${namespace}`}`)
    const refusal = this.refusals.get(resource)
    if (refusal !== undefined) return this.#status(response, refusal.status, refusal.message)
    if (watching) this.#watch(resource, namespace, Number(searchParams.get('resourceVersion')), response)
    else this.#list(resource, namespace, searchParams, response)
  }

  #list(resource: string, namespace: string | undefined, query: URLSearchParams, response: ServerResponse): void {
    const all = [...(this.#objects[resource]?.values() ?? [])].filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    )
    const from = Number(query.get('continue') ?? 0)
    const items = all.slice(from, from + this.pageSize)
    const more = from + this.pageSize < all.length ? { continue: String(from + this.pageSize) } : {}
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ items, metadata: { resourceVersion: String(this.#version), ...more } }))
  }

  #watch(resource: string, namespace: string | undefined, from: number, response: ServerResponse): void {
    const expired = from < this.#oldest
    if (expired && this.#refusal === 'status') return this.#status(response, 410, 'too old resource version')
    response.writeHead(200, { 'content-type': 'application/json' })
    if (expired)
      return void response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410 } })}\n`)
    response.flushHeaders()
    const watcher = { namespace, response }
    this.#watchers[resource]?.add(watcher)
    response.on('close', () => this.#watchers[resource]?.delete(watcher))
    for (const object of this.#objects[resource]?.values() ?? []) {
      const { metadata } = object
      if (Number(metadata.resourceVersion) > from && (namespace === undefined || metadata.namespace === namespace))
        response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`)
    }
  }

  async #review(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const { kind, spec } = JSON.parse(text) as { kind: string; spec: { token: string; audiences: string[] } }
    this.asked.push(`review for ${spec.audiences.join()}`)
    const refusal = this.refusals.get('tokenreviews')
    if (refusal !== undefined) return this.#status(response, refusal.status, refusal.message)
    response.writeHead(201, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ kind, spec, status: this.reviews.get(spec.token) ?? { authenticated: false, error: 'no' } }),
    )
  }

  #status(response: ServerResponse, code: number, message: string): void {
    response.writeHead(code, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'Status', status: 'Failure', code, message }))
  }
}
