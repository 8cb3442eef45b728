import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostOf } from '../../../src/gateway/ingress/host.ts'
import { type Route, Routes } from '../../../src/gateway/ingress/routes.ts'

const defaults = { responseTimeoutMs: 1, idleTimeoutMs: 2 }
const routeTo = (service: string): Route => ({
  ...defaults,
  target: { service, namespace: 'prod', port: 80, protocol: 'tcp' },
  access: 'public',
  upgrades: new Set(),
  headers: [],
  passthrough: false,
})
const routes = new Routes({
  routes: [
    { host: 'app.test', path: '/', route: routeTo('front') },
    { host: 'app.test', path: '/api/v1', route: routeTo('v1') },
    { host: 'app.test', path: '/api', route: routeTo('api') },
    { host: '*.wild.test', path: '/', route: routeTo('wild') },
    { host: 'own.wild.test', path: '/only', route: routeTo('own') },
  ],
  domain: 'IN.test',
  isPublic: ({ service }) => service === 'open',
  defaults,
})
const serviceAt = (host: string, path = '/'): string | undefined => routes.find(host, path)?.target.service

test('the longest path wins, and paths match whole segments', () => {
  assert.equal(serviceAt('app.test', '/api/v1/x'), 'v1')
  assert.equal(serviceAt('app.test', '/api/v1'), 'v1')
  assert.equal(serviceAt('app.test', '/api/v12'), 'api')
  assert.equal(serviceAt('app.test', '/apis'), 'front')
})

test('an exact host is before a wildcard, also where it has no path, and a wildcard is one label', () => {
  assert.equal(serviceAt('own.wild.test', '/only'), 'own')
  assert.equal(serviceAt('own.wild.test', '/'), undefined)
  assert.equal(serviceAt('any.wild.test'), 'wild')
  for (const host of ['a.b.wild.test', 'wild.test', 'xwild.test']) assert.equal(routes.knows(host), false, host)
})

test('a label below the domain names service, namespace, port and perhaps an agent', () => {
  const { target, agent, access } = routes.find('web--prod--http--office.in.test', '/') ?? assert.fail('no route')
  assert.deepEqual(
    [target, agent, access],
    [{ service: 'web', namespace: 'prod', port: 'http', protocol: 'tcp' }, 'office', 'token'],
  )
  assert.equal(routes.find('open--prod--80.in.test', '/')?.access, 'public')
  assert.equal(routes.find('a-b--c-d--8080.in.test', '/')?.target.port, 8080)
})

test('whatever else is below the domain is known, and has no route', () => {
  const labels = [
    'web',
    'web--prod',
    'web--prod--',
    'web--prod--0',
    'web--prod--65536',
    'web--prod--000080',
    'web--prod--80--',
    '--prod--80',
  ]
  const more = ['web--prod--80--a--b', 'web---prod--80', '-web--prod--80', 'web--pr_od--80', 'web--prod--80--a_b']
  for (const label of [...labels, ...more]) {
    assert.equal(routes.knows(`${label}.in.test`), true, label)
    assert.equal(serviceAt(`${label}.in.test`), undefined, label)
  }
  for (const host of ['in.test', 'a.web--prod--80.in.test', 'web--prod--80.in.test.evil', 'web--prod--80xin.test']) {
    assert.equal(routes.knows(host), false, host)
  }
})

test('a host has one form, whatever the case, the port and the final dot', () => {
  for (const text of ['A.test', 'a.TEST.', 'a.test:1', 'a.test.:65535']) assert.equal(hostOf(text), 'a.test', text)
  assert.equal(hostOf('[2001:DB8::1]:80'), '[2001:db8::1]')
  assert.equal(hostOf('127.0.0.1:80'), '127.0.0.1')
  const none = [
    '',
    '.',
    'a..',
    'u@a.test',
    'a.test:',
    'a.test:x',
    'a.test:123456',
    'a test',
    'a.test/x',
    'a,b',
    '*.a',
    '[a',
    'ä',
    'a\n',
    '\na',
    '-a',
  ]
  for (const text of none) assert.equal(hostOf(text), undefined, JSON.stringify(text))
})
