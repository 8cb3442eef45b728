/**
 * A Kubernetes API as far as kubectl needs one to apply, get and delete what `tunnelctl manifests` prints: it tells its resources, keeps
 * what it is given, and refuses what a real one refuses first: an unknown kind, a namespace that is not there, a name that is taken.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import type { Scope } from './tunnel.ts'

interface Resource {
  readonly plural: string
  readonly kind: string
  readonly wide?: true
}
interface Stored {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly namespace?: string }
}

const KNOWN: Readonly<Record<string, readonly Resource[]>> = {
  v1: [
    { plural: 'namespaces', kind: 'Namespace', wide: true },
    { plural: 'serviceaccounts', kind: 'ServiceAccount' },
    { plural: 'services', kind: 'Service' },
  ],
  'apps/v1': [{ plural: 'deployments', kind: 'Deployment' }],
  'networking.k8s.io/v1': [
    { plural: 'networkpolicies', kind: 'NetworkPolicy' },
    { plural: 'ingresses', kind: 'Ingress' },
  ],
  'policy/v1': [{ plural: 'poddisruptionbudgets', kind: 'PodDisruptionBudget' }],
  'rbac.authorization.k8s.io/v1': [
    { plural: 'roles', kind: 'Role' },
    { plural: 'rolebindings', kind: 'RoleBinding' },
    { plural: 'clusterroles', kind: 'ClusterRole', wide: true },
    { plural: 'clusterrolebindings', kind: 'ClusterRoleBinding', wide: true },
  ],
}
const OBJECTS = /^\/(?:api|apis)\/((?:[^/]+\/)?v1)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/

export class KubeStore {
  url = ''
  /** By path: what there is. */
  readonly objects = new Map<string, Stored>()
  #version = 0

  static async start(scope: Scope): Promise<KubeStore> {
    const store = new KubeStore()
    const server = createServer((request, response) => void store.#serve(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    store.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    scope.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return store
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '', this.url)
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const told = discovery(pathname)
    if (told !== undefined) return answer(response, 200, told)
    const [, groupVersion = '', namespace, plural, name] = OBJECTS.exec(pathname) ?? []
    const resource = KNOWN[groupVersion]?.find(each => each.plural === plural)
    if (resource === undefined) return refuse(response, 404, 'NotFound', 'the server could not find the resource')
    if (namespace === undefined && resource.wide === undefined)
      return refuse(response, 405, 'MethodNotAllowed', 'without a namespace')
    if (namespace !== undefined && !this.objects.has(`/api/v1/namespaces/${namespace}`))
      return refuse(response, 404, 'NotFound', `namespaces "${namespace}" not found`)
    const write = request.method === 'POST' || request.method === 'PATCH'
    const given = write ? (parse(body) as Stored) : undefined
    const whole = request.headers['content-type']?.includes('merge-patch') !== true
    if (given !== undefined && whole && (given.kind !== resource.kind || given.metadata.namespace !== namespace))
      return refuse(response, 400, 'BadRequest', `${given.kind} is of another kind or namespace than ${pathname}`)
    if (request.method === 'POST' && given !== undefined) return this.#create(response, pathname, given)
    if (name === undefined) return refuse(response, 405, 'MethodNotAllowed', 'lists are not served')
    if (given !== undefined && whole) {
      return answer(response, this.objects.has(pathname) ? 200 : 201, this.#keep(pathname, given))
    }
    const found = this.objects.get(pathname)
    if (found === undefined) return refuse(response, 404, 'NotFound', `${plural} "${name}" not found`)
    // kubectl patches what the schema says is replaced as a whole, as the selector of a disruption budget, even with the same.
    if (given !== undefined && !isDeepStrictEqual(merged(found, given), found))
      return refuse(response, 422, 'Invalid', `nothing was expected to change: ${body}`)
    if (request.method === 'DELETE') this.#delete(pathname, found)
    answer(response, 200, found)
  }

  #create(response: ServerResponse, path: string, given: Stored): void {
    const at = `${path}/${given.metadata.name}`
    if (this.objects.has(at)) return refuse(response, 409, 'AlreadyExists', 'already exists')
    answer(response, 201, this.#keep(at, given))
  }

  /** A namespace goes with all that is in it. */
  #delete(at: string, { kind, metadata }: Stored): void {
    this.objects.delete(at)
    if (kind !== 'Namespace') return
    for (const path of this.objects.keys()) {
      if (path.includes(`/namespaces/${metadata.name}/`)) this.objects.delete(path)
    }
  }

  #keep(at: string, given: Stored): Stored {
    const uid = this.objects.get(at)?.metadata.uid ?? `uid-${++this.#version}`
    const metadata = { ...given.metadata, uid, resourceVersion: String(++this.#version) }
    this.objects.set(at, { ...given, metadata })
    return { ...given, metadata }
  }
}

/** A merge patch on `target` (RFC 7386), as far as nothing is taken away. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const into = { ...(target as Record<string, unknown> | undefined) }
  for (const [key, value] of Object.entries(patch)) into[key] = merged(into[key], value)
  return into
}

/** What the API says of itself. */
function discovery(path: string): object | undefined {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: Object.keys(KNOWN).flatMap(groupOf) }
  const groupVersion = path.replace(/^\/apis?\//, '')
  const resources = KNOWN[groupVersion]?.map(({ plural, kind, wide }) => ({
    ...{ name: plural, singularName: '', kind, namespaced: wide === undefined },
    verbs: ['create', 'delete', 'get', 'patch'],
  }))
  return resources && { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }
}

function groupOf(groupVersion: string): object[] {
  const [name, version] = groupVersion.split('/')
  return version === undefined
    ? []
    : [{ name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } }]
}

function answer(response: ServerResponse, code: number, object: object): void {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(object))
}

function refuse(response: ServerResponse, code: number, reason: string, message: string): void {
  answer(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message })
}
