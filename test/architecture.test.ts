/** The shape of the house (docs/architecture.md): who may import whom, and what may be used where. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Source {
  /** From src/ on: `mux/session.ts`. */
  readonly path: string
  /** The first folder, or the file's own name at the top. */
  readonly part: string
  /** Without comments. */
  readonly code: string
  readonly lines: number
  readonly imports: readonly string[]
  /** Those that are still there when the types are gone. */
  readonly loads: readonly string[]
}

const sources: readonly Source[] = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map(path => path.replaceAll('\\', '/'))
  .filter(path => path.endsWith('.ts'))
  .map(path => {
    const text = readFileSync(join(root, 'src', path), 'utf8')
    const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
    const namesIn = (part: string) =>
      [...part.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*'([^']+)'/g)].map(([, name = '']) => name)
    const loads = namesIn(code.replace(/^(import|export) type [^']*'[^']+'/gm, ''))
    const part = path.split('/')[0] ?? ''
    return { path, part, code, lines: text.split('\n').length - 1, imports: namesIn(code), loads }
  })

/** The folders, and those that each may import beside itself. The order is that of the layers. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'clock.ts': [],
  'slab.ts': [],
  wire: ['errors.ts', 'clock.ts', 'slab.ts'],
  net: ['errors.ts', 'clock.ts', 'slab.ts'],
  observe: ['errors.ts', 'clock.ts', 'slab.ts', 'net'],
  carrier: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net'],
  mux: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net', 'carrier'],
  uplink: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net', 'carrier', 'mux'],
  kubernetes: ['errors.ts', 'clock.ts', 'net', 'observe', 'carrier'],
  // The roles know nothing of each other.
  token: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net', 'carrier', 'mux'],
  gateway: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net', 'carrier', 'mux', 'uplink', 'kubernetes'],
  agent: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net', 'carrier', 'mux', 'kubernetes'],
  connect: ['errors.ts', 'clock.ts', 'slab.ts', 'wire', 'observe', 'net', 'carrier', 'mux', 'uplink'],
  cli: [
    'errors.ts',
    'clock.ts',
    'slab.ts',
    'wire',
    'observe',
    'net',
    'carrier',
    'mux',
    'kubernetes',
    'token',
    'gateway',
    'agent',
    'connect',
  ],
}

const inside = ({ path }: Source, names: readonly string[]): string[] =>
  names.filter(name => name.startsWith('.')).map(name => posix.join(posix.dirname(path), name))

test('every folder of src has its place', () => {
  assert.deepEqual([...new Set(sources.map(({ part }) => part))].sort(), Object.keys(mayImport).sort())
})

test('imports go one way', () => {
  const wrong = sources.flatMap(source =>
    inside(source, source.imports)
      .filter(path => {
        const part = path.split('/')[0] ?? ''
        return part !== source.part && !mayImport[source.part]?.includes(part)
      })
      .map(path => `${source.path} imports ${path}`),
  )
  assert.deepEqual(wrong, [])
})

test('no file loads itself through others', () => {
  const graph = new Map(sources.map(source => [source.path, inside(source, source.loads)]))
  const finished = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(path), [...trail, path].join(' -> '))
    if (finished.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    finished.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
})

test('each library stays in its place', () => {
  const places: Readonly<Record<string, RegExp>> = {
    ws: /^(carrier\/upgrade|gateway\/gateway)\.ts$/,
    commander: /^cli\//,
    chalk: /^cli\//,
    ora: /^cli\//,
    '@inquirer/password': /^cli\/prompt\.ts/,
    '@inquirer/search': /^cli\/prompt\.ts/,
    yaml: /^(cli\/(config\/|manifests\/print\.ts)|gateway\/settings\.ts)/,
    'fastest-levenshtein': /^cli\/nearest\.ts/,
    open: /^cli\/commands\/open\.ts/,
    'https-proxy-agent': /^cli\/proxy\.ts/,
    'proxy-from-env': /^cli\/proxy\.ts/,
    'openid-client': /^cli\/oidc\.ts/,
    pino: /^observe\//,
    'prom-client': /^observe\//,
    jose: /^(gateway|token)\//,
  }
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter(name => !name.startsWith('.') && !name.startsWith('node:'))
      .filter(name => places[name]?.test(path) !== true)
      .map(name => `${path} imports ${name}`),
  )
  assert.deepEqual(wrong, [])
})

test('the core and the relay do no input and output of their own', () => {
  const core = sources.filter(({ path }) =>
    /^(wire|mux)\/|^gateway\/(relay|hop|acl|registry|principal)\.ts$/.test(path),
  )
  assert.ok(core.length > 10)
  const allowed = ['node:stream', 'node:crypto']
  for (const { path, imports } of core) {
    assert.deepEqual(
      imports.filter(name => name.startsWith('node:') && !allowed.includes(name)),
      [],
      path,
    )
  }
})

const used = (pattern: RegExp, where: (path: string) => boolean): string[] =>
  sources.filter(({ path, code }) => where(path) && pattern.test(code)).map(({ path }) => path)

test('below cli, time and chance come in as arguments', () => {
  const own = (path: string) => !path.startsWith('cli/') && path !== 'clock.ts'
  const direct =
    /(?<!\.)\bsetTimeout\(|\bsetImmediate\(|\bsetInterval\(\(|\bDate\.now\(|\bMath\.random\(|\bperformance\.now\(/
  assert.deepEqual(used(direct, own), [])
})

test('nothing prints but through its own output, and only a second signal ends the process', () => {
  assert.deepEqual(
    used(/\bconsole\./, () => true),
    [],
  )
  assert.deepEqual(
    used(/\bprocess\.exit\b/, () => true),
    ['cli/signals.ts'],
  )
  assert.deepEqual(
    used(/\bprocess\.(stdout|stderr|stdin|env|argv)\b/, path => !path.startsWith('cli/')),
    [],
  )
})

test('a file holds one idea, and says which', () => {
  const long = sources.filter(({ lines }) => lines > 300).map(({ path, lines }) => `${path} has ${lines} lines`)
  assert.deepEqual(long, [])
  const vague = /^(util|utils|helper|helpers|common|misc|manager|base|index|types)\.ts$/
  assert.deepEqual(
    sources.filter(({ path }) => vague.test(basename(path))),
    [],
  )
})

test('the binary is a door to the bundle and nothing more', () => {
  const text = readFileSync(join(root, 'bin', 'tunnelctl.js'), 'utf8')
  assert.deepEqual(
    [...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name),
    ['../dist/main.js'],
  )
  assert.ok(text.startsWith('#!/usr/bin/env node\n'))
  assert.ok(text.trimEnd().split('\n').length <= 5)
})
