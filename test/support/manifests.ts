/** `tunnelctl manifests` in this process, and every set of objects that is worth a look. */
import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { parseAllDocuments } from 'yaml'
import { runProgram } from '../../src/cli/program.ts'

export type Fields = Readonly<Record<string, unknown>>

class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export async function manifests(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new Sink(), new Sink()]
  const env = { TUNNELCTL_NAMESPACE: 'not-this', TUNNELCTL_TOKEN: 'not-this' }
  const code = await runProgram(['manifests', ...args], { stdin: Readable.from([]), stdout, stderr, env })
  return { code, out: stdout.text, err: stderr.text }
}

/** As kubectl reads them. */
export function documentsIn(text: string): Fields[] {
  return parseAllDocuments(text, { version: '1.1' }).map(document => {
    assert.deepEqual(document.errors, [])
    return document.toJS() as Fields
  })
}

export async function objects(...args: readonly string[]): Promise<Fields[]> {
  const { code, out, err } = await manifests(...args)
  assert.equal(code, 0, err)
  return documentsIn(out)
}

/** What is found behind each key in turn; a number is a place in a list. */
export function at(value: unknown, path: string): unknown {
  let found = value
  for (const key of path.split('.')) found = (found as Fields | undefined)?.[key]
  return found
}

export const kinds = (found: readonly Fields[]): string[] => found.map(({ kind }) => String(kind))

export function only(found: readonly Fields[], kind: string): Fields {
  const [first, second] = found.filter(each => each.kind === kind)
  assert.ok(first !== undefined && second === undefined, `there is not one ${kind}`)
  return first
}

export const container = (found: readonly Fields[]): Fields => pod(found, 'containers.0') as Fields

/** Of the pod that the Deployment makes. */
export const pod = (found: readonly Fields[], path: string): unknown =>
  at(only(found, 'Deployment'), `spec.template.spec.${path}`)

export const argsIn = (found: readonly Fields[]): readonly string[] => container(found).args as readonly string[]

export const AGENT = ['agent', '--gateway', 'wss://gateway.example.com']
export const GATEWAY = ['gateway', '--host', 'gateway.example.com']
const OIDC = [
  '--oidc-issuer',
  'https://id.example.com',
  '--oidc-audience',
  'tunnelctl',
  '--oidc-rules-configmap',
  'rules',
]
const TLS = ['--tls-secret', 'gateway-tls']
const DOMAIN = ['--ingress-domain', 'apps.example.com']

export const fullAgent: readonly string[] = [
  ...['agent', '--gateway', 'wss://gateway.example.com:8443', '--name', 'prod', '--namespace', 'tunnels'],
  ...['--create-namespace', '--image', 'registry.example.com/tunnelctl:1.2.3', '--replicas', '3'],
  ...['--token-secret', 'prod-agent', '--allow', '*/prod:*', '--deny', 'db/prod:*,*/prod:22'],
  ...['--discovery', 'namespaces', '--namespaces', 'prod,staging'],
]
export const fullGateway: readonly string[] = [
  ...[...GATEWAY, ...TLS, ...DOMAIN, ...OIDC, '--ingress', 'nginx', '--verify-key-secret', 'keys'],
  ...['--image', 'registry.example.com/tunnelctl:1.2.3'],
]

/** Each edge, each mode, each way to a token. */
export const allSets: readonly (readonly string[])[] = [
  AGENT,
  fullAgent,
  [...AGENT, '--discovery', 'cluster'],
  [...AGENT, '--service-account-token'],
  ['gateway'],
  fullGateway,
  [...GATEWAY, ...TLS],
  [...GATEWAY, ...TLS, ...DOMAIN, ...OIDC],
  [...GATEWAY, ...TLS, ...DOMAIN, '--ingress', 'gateway-api', '--ingress-class', 'eg'],
  [...GATEWAY, ...DOMAIN, '--ingress', 'alb'],
  [...GATEWAY, ...TLS, '--ingress', 'gke'],
  [...GATEWAY, ...TLS, '--ingress', 'traefik', '--ingress-class', 'traefik-internal'],
  [...GATEWAY, '--ingress', 'nginx'],
  [...GATEWAY, ...TLS, '--clusters-configmap', 'clusters'],
  [...GATEWAY, ...TLS, '--clusters-configmap', 'clusters', '--token-review'],
]
