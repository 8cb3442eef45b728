import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadRoutes, parseRoutes } from '../../../src/gateway/ingress/route-file.ts'
import { type HostRoute, Routes } from '../../../src/gateway/ingress/routes.ts'
import { formatTarget } from '../../../src/net/target.ts'
import { nullLog } from '../../../src/observe/log.ts'
import { VirtualClock } from '../../support/clock.ts'

const defaults = { responseTimeoutMs: 60_000, idleTimeoutMs: 600_000 }
const parse = (text: string): readonly HostRoute[] => parseRoutes(text, 'routes.yaml', defaults)
const routesOf = (text: string): Routes => new Routes({ routes: parse(text), isPublic: () => false, defaults })

test('a route has what is written, and the defaults for what is not', () => {
  const [short, long] = parse(`
routes:
  - { host: App.Example.COM, target: web/prod:http }
  - host: '*.apps.example.com'
    path: /api
    target: api.prod.svc:8080
    agent: prod
    access: public
    upgrade: [websocket, SPDY/3.1]
    responseTimeout: 5m
    idleTimeout: 1h
    headers: { X-Env: prod, X-Count: 3 }
`)
  assert.deepEqual(short, {
    host: 'app.example.com',
    path: '/',
    route: {
      target: { service: 'web', namespace: 'prod', port: 'http', protocol: 'tcp' },
      access: 'token',
      upgrades: new Set(['websocket']),
      headers: [],
      passthrough: false,
      ...defaults,
    },
  })
  assert.equal(long?.host, '*.apps.example.com')
  assert.equal(long?.path, '/api')
  assert.deepEqual(long?.route, {
    target: { service: 'api', namespace: 'prod', port: 8080, protocol: 'tcp' },
    agent: 'prod',
    access: 'public',
    upgrades: new Set(['websocket', 'spdy/3.1']),
    responseTimeoutMs: 300_000,
    idleTimeoutMs: 3_600_000,
    headers: [
      ['X-Env', 'prod'],
      ['X-Count', '3'],
    ],
    passthrough: false,
  })
})

test('an exact host goes before a wildcard, a longer path before a shorter one, and paths end at a slash', () => {
  const routes = routesOf(`
routes:
  - { host: '*.example.com', target: wild/x:1 }
  - { host: app.example.com, target: root/x:1 }
  - { host: app.example.com, path: /a, target: a/x:1 }
  - { host: app.example.com, path: /a/b/, target: ab/x:1 }
  - { host: only.example.com, path: /in, target: only/x:1 }
`)
  const found = (host: string, path: string): string | undefined => {
    const route = routes.find(host, path)
    return route === undefined ? undefined : formatTarget(route.target)
  }
  assert.equal(found('app.example.com', '/'), 'root/x:1')
  assert.equal(found('app.example.com', '/a'), 'a/x:1')
  assert.equal(found('app.example.com', '/a/'), 'a/x:1')
  assert.equal(found('app.example.com', '/ab'), 'root/x:1')
  assert.equal(found('app.example.com', '/a/b'), 'a/x:1')
  assert.equal(found('app.example.com', '/a/b/c'), 'ab/x:1')
  assert.equal(found('other.example.com', '/a'), 'wild/x:1')
  assert.equal(found('deep.other.example.com', '/'), undefined)
  assert.equal(found('example.com', '/'), undefined)
  assert.equal(found('only.example.com', '/out'), undefined, 'an exact host has no wildcard behind it')
  assert.ok(routes.knows('only.example.com') && !routes.knows('example.com'))
})

test('what is wrong is named, and nothing is passed over', () => {
  const route = (fields: string): string => `routes: [{ host: a.example, target: web/x:1, ${fields} }]`
  for (const [text, why] of [
    ['', /it is not a map/],
    ['routes: []', /routes is not a list/],
    ['{ routes: [], more: 1 }', /has "more", which means nothing there/],
    ['routes: [{ target: web/x:1 }]', /route 1: host is not a text/],
    ["routes: [{ host: 'a b', target: web/x:1 }]", /"a b" is no host/],
    ["routes: [{ host: 'a.example:80', target: web/x:1 }]", /is no host/],
    ["routes: [{ host: 'a.*.example', target: web/x:1 }]", /is no host/],
    ['routes: [{ host: a.example, target: web }]', /route 1: malformed target "web"/],
    ['routes: [{ host: a.example, target: dns/x:53/udp }]', /the target is not of TCP/],
    [route('path: api'), /path is not one/],
    [route("path: '/a?b'"), /path is not one/],
    [route("path: '/%61'"), /path is not one/],
    [route('access: everybody'), /access is token or public/],
    [route("agent: 'a b'"), /agent is not the name of one/],
    [route('allowCidrs: [10.0.0.0/33]'), /"10.0.0.0\/33" is no range/],
    [route('allowCidrs: []'), /allowCidrs is not a list/],
    [route('upgrade: [h2c]'), /upgrade to "h2c" is not passed on/],
    [route("upgrade: ['a b']"), /upgrade to "a b" is not passed on/],
    [route('responseTimeout: soon'), /route 1: .*soon/],
    [route('idleTimeout: 10ms'), /idleTimeout is under 1 s/],
    [route('headers: { Connection: close }'), /the header "Connection" cannot be set/],
    [route('headers: { "X-A": "b\\r\\nX-C: d" }'), /the header "X-A" cannot be set/],
    [route('headers: { "X A": b }'), /the header "X A" cannot be set/],
    [route('port: 80'), /has "port"/],
    [route('passthrough: yes please'), /passthrough is true or false/],
    [route('passthrough: true'), /what is passed through is public/],
    [route('passthrough: true, access: public, path: /a'), /has no path that could be seen/],
    [
      'routes: [{ host: a.example, target: a/x:1 }, { host: A.example, target: b/x:1 }]',
      /two routes are for a.example\//,
    ],
  ] as const) {
    assert.throws(() => parse(text), { code: 'USAGE', message: why }, text)
  }
})

test('a file that has changed is read again; one that is malformed leaves the routes as they are', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-routes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const write = (name: string, target: string): void =>
    writeFileSync(join(folder, name), `routes: [{ host: a.example, target: ${target} }]`)
  write('one', 'one/x:1')
  write('two', 'two/x:1')
  const file = join(folder, 'routes.yaml')
  symlinkSync('one', file)
  let current = ''
  const seen: string[] = []
  const clock = new VirtualClock()
  const log = {
    ...nullLog,
    error: (event: string) => void seen.push(event),
    info: (event: string) => void seen.push(event),
  }
  const changed = (routes: readonly HostRoute[]): void => {
    current = routes[0] === undefined ? '' : formatTarget(routes[0].route.target)
  }
  const routes = await loadRoutes({ file, defaults, changed, log })
  assert.equal(current, 'one/x:1')
  const told = async (count: number): Promise<void> => {
    // What is read from the file system comes in its own time; the clock only says when to look.
    for (let turn = 0; seen.length < count && turn < 2_000; turn++) {
      await new Promise(resolve => setTimeout(resolve, 1))
      if (turn % 20 === 0) clock.advanceSync(10_000)
    }
  }
  const stop = routes.watch(clock)
  t.after(stop)
  await new Promise(resolve => setTimeout(resolve, 20))
  symlinkSync('two', `${file}.new`)
  renameSync(`${file}.new`, file)
  await told(1)
  assert.deepEqual([seen, current], [['routes reloaded'], 'two/x:1'])
  unlinkSync(file)
  writeFileSync(file, 'routes: nonsense')
  await told(2)
  assert.deepEqual([seen.at(-1), current], ['routes not reloaded', 'two/x:1'])
})
