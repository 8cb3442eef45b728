import assert from 'node:assert/strict'
import { test } from 'node:test'
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

test('with --allow only what a pattern covers is dialled', () => {
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
  test(`a name that resolves to ${address} is denied`, () => {
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

test('addresses of services pass, in order, and a bad one among them is left out', () => {
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
