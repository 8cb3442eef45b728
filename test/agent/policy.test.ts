import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExternal } from '../../src/agent/external.ts'
import { Policy } from '../../src/agent/policy.ts'
import { parsePattern } from '../../src/net/pattern.ts'
import { parseTarget } from '../../src/net/target.ts'

const policy = (allow: string[], deny: string[] = [], loopback = false) =>
  new Policy({ allow: allow.map(parsePattern), deny: deny.map(parsePattern), loopback })
const db = parseTarget('db/prod:5432')

test('without patterns the agent dials everything that the gateway lets through', () => {
  policy([]).check(db)
  policy([]).check(parseTarget('dns/kube-system:dns-tcp/udp'))
  policy([]).check(parseTarget('pod/db-0/prod:5432'))
  policy([]).check(parseTarget('deploy/db/prod:5432'))
})

test('E103: with --allow only what a pattern covers is dialled', () => {
  policy(['*/dev:*', 'db/prod:5000-5999']).check(db)
  assert.throws(() => policy(['*/dev:*']).check(db), {
    code: 'DENIED',
    message: 'the agent denies db/prod:5432: no pattern allows it',
  })
})

test('--deny wins over --allow, and over the absence of --allow', () => {
  const message = 'the agent denies db/prod:5432: the pattern db/*:* denies it'
  assert.throws(() => policy(['db/prod:5432'], ['db/*:*']).check(db), { code: 'DENIED', message })
  assert.throws(() => policy([], ['db/*:*']).check(db), { code: 'DENIED', message })
  policy([], ['db/*:*']).check(parseTarget('web/prod:80'))
})

test('what is denied of a service is denied of its pods, whatever their port', () => {
  const pod = parseTarget('pod/db-0/prod:9999')
  const check = (deny: string, ...services: string[]) => policy([], [deny]).checkServices(pod, services)
  assert.throws(() => check('db/prod:5432', 'db-metrics', 'db'), {
    code: 'DENIED',
    message: 'the agent denies pod/db-0/prod:9999: the pattern db/prod:5432 denies it',
  })
  check('db/dev:*', 'db')
  check('db/prod:5432/udp', 'db')
  check('web/prod:*', 'db')
})

test('a denied port number is denied under its name too', () => {
  const named = parseTarget('db/prod:postgres')
  const narrow = policy([], ['db/prod:5432'])
  narrow.check(named)
  const addresses = [{ address: '10.0.0.1' }]
  assert.throws(() => narrow.checkResolved(named, addresses, 5_432), { code: 'DENIED', message: /db\/prod:postgres/ })
  assert.deepEqual(narrow.checkResolved(named, addresses, 5_433), addresses)
})

test('a port allowed by name only is still allowed once its number is known', () => {
  const named = parseTarget('db/prod:postgres')
  const byName = policy(['db/prod:postgres'])
  byName.check(named)
  assert.equal(byName.checkResolved(named, [{ address: '10.0.0.1' }], 5_432).length, 1)
})

const neverServices = [
  ...['0.0.0.0', '0.1.2.3', '169.254.169.254', '100.100.100.200', '224.0.0.1', '255.255.255.255'],
  ...['::', 'fe80::1', 'fe80::1%eth0', 'fd00:ec2::254', 'ff02::1'],
  ...['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '64:ff9b::169.254.169.254', '64:ff9b::a9fe:a9fe'],
]
const loopbacks = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1']

for (const address of [...neverServices, ...loopbacks]) {
  test(`E101: a name that resolves to ${address} is denied`, () => {
    assert.throws(() => policy([]).checkResolved(db, [{ address }], 5_432), {
      code: 'DENIED',
      message: `the agent denies db/prod:5432: it resolves to ${address}, which is no address of a service`,
      hint: /--service/,
    })
  })
}

test('loopback can be let in, the other addresses cannot', () => {
  const open = policy([], [], true)
  for (const address of loopbacks) assert.equal(open.checkResolved(db, [{ address }], 5_432).length, 1, address)
  for (const address of neverServices)
    assert.throws(() => open.checkResolved(db, [{ address }], 5_432), { code: 'DENIED' }, address)
})

test('E102: addresses of services pass, in order, and a bad one among them is left out', () => {
  const good = [
    '10.96.0.10',
    '172.20.0.1',
    '192.168.1.1',
    '100.64.0.7',
    '1.2.3.4',
    'fd00::10',
    '2001:db8::1',
    '::ffff:10.0.0.1',
  ]
  const mixed = ['169.254.169.254', ...good, '::1'].map(address => ({ address }))
  assert.deepEqual(
    policy([])
      .checkResolved(db, mixed, 5_432)
      .map(({ address }) => address),
    good,
  )
})

test('what a service leads to is judged as if it had been asked for', () => {
  const narrow = policy(['*/prod:*'], ['secret/*:*'])
  const leadsTo = (service: string, namespace: string) =>
    narrow.checkAliases(db, { services: [{ service, namespace, host: `${service}.${namespace}.svc.x` }] }, 5_432)
  leadsTo('other', 'prod')
  assert.throws(() => leadsTo('secret', 'prod'), { code: 'DENIED', message: /secret\/prod:5432: the pattern secret/ })
  assert.throws(() => leadsTo('other', 'dev'), {
    code: 'DENIED',
    message: /out of its namespace, to other.dev.svc.x:5432/,
  })
})

test('a service that leads out of the cluster is denied, unless that host and port are allowed', () => {
  const external = ['db.example.com:5432', '*.rds.example.com:5000-6000', 'any.example.com:*'].map(parseExternal)
  const open = new Policy({ allow: [], deny: [], external })
  const leadsTo = (host: string, port = 5_432, at = open) => at.checkAliases(db, { services: [], external: host }, port)
  for (const host of ['db.example.com', 'DB.example.com', 'a.b.rds.example.com', 'any.example.com']) leadsTo(host)
  leadsTo('any.example.com', 1)
  const denied = { code: 'DENIED', message: /leads out of the cluster, to .*:/, hint: /--allow-external/ }
  for (const [host, port] of [
    ['db.example.com', 5_433],
    ['x.db.example.com', 5_432],
    ['db.example.com.evil.org', 5_432],
    ['rds.example.com', 5_432],
    ['a.rds.example.com', 6_001],
  ] as const)
    assert.throws(() => leadsTo(host, port), denied, host)
  assert.throws(() => leadsTo('db.example.com', 5_432, policy([])), denied)
})

test('a pattern for an external host that is none is a usage error', () => {
  for (const text of ['', 'db', 'db:', ':1', 'db:0', 'db:70000', 'db:9-8', 'd b:1', 'db/prod:1', 'http://db:1', '-:1'])
    assert.throws(() => parseExternal(text), { code: 'USAGE' }, text)
})

test('a listed host that resolves to what no service has is denied, and a listed address is not asked about', () => {
  const open = policy([])
  const at = (address: string) => [{ address }]
  assert.throws(() => open.checkListed(db, 'db.internal', at('169.254.169.254')), { code: 'DENIED' })
  assert.throws(() => open.checkListed(db, 'db.internal', at('::ffff:169.254.169.254')), { code: 'DENIED' })
  assert.equal(open.checkListed(db, 'localhost', at('127.0.0.1')).length, 1)
  assert.equal(open.checkListed(db, '169.254.169.254', at('169.254.169.254')).length, 1)
})
