import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { clusterDomainOf, Resolver, type ResolverOptions } from '../../src/agent/resolver.ts'
import { formatTarget, parseTarget } from '../../src/net/target.ts'
import { type DnsRecord, startDnsServer } from '../support/dns-server.ts'
import { ManualClock } from './manual-clock.ts'

const never = new AbortController().signal
const db = parseTarget('db/prod:5432')
const dbName = 'db.prod.svc.cluster.local'

async function start(t: TestContext, records: Record<string, DnsRecord>, more: Partial<ResolverOptions> = {}) {
  const server = await startDnsServer(records)
  t.after(() => server.close())
  const resolver = new Resolver({ clusterDomain: 'cluster.local', servers: [server.address], ...more })
  const texts = async (target: string) => {
    const { addresses, port } = await resolver.resolve(parseTarget(target), never)
    return [...addresses.map(({ address }) => address), port]
  }
  return { server, resolver, texts }
}

test('a service is asked for by its absolute name only, A and AAAA, and what it stands for', async t => {
  const { server, resolver } = await start(t, { [dbName]: { a: ['10.0.0.7'], aaaa: ['fd00::7'] } })
  assert.deepEqual(await resolver.resolve(db, never), {
    addresses: [
      { address: '10.0.0.7', family: 4 },
      { address: 'fd00::7', family: 6 },
    ],
    port: 5_432,
    aliases: { services: [{ service: 'db', namespace: 'prod', host: dbName }] },
  })
  assert.deepEqual(server.queries.sort(), [`A ${dbName}`, `AAAA ${dbName}`, `CNAME ${dbName}`])
})

test('the cluster domain is configurable, dots around it do no harm', async t => {
  const { texts } = await start(
    t,
    { 'db.prod.svc.corp.example': { a: ['10.0.0.7'] } },
    { clusterDomain: '.corp.example.' },
  )
  assert.deepEqual(await texts('db/prod:5432'), ['10.0.0.7', 5_432])
})

test('the families take turns, IPv4 first, and there are at most 16 addresses', async t => {
  const many = Array.from({ length: 40 }, (_, i) => `10.0.1.${i}`)
  const { texts } = await start(t, {
    [dbName]: { a: ['10.0.0.1', '10.0.0.2', '10.0.0.3'], aaaa: ['fd00::1'] },
    'v6.prod.svc.cluster.local': { aaaa: ['fd00::1', 'fd00::2'] },
    'many.prod.svc.cluster.local': { a: many, aaaa: ['fd00::1'] },
  })
  assert.deepEqual(await texts('db/prod:1'), ['10.0.0.1', 'fd00::1', '10.0.0.2', '10.0.0.3', 1])
  assert.deepEqual(await texts('v6/prod:1'), ['fd00::1', 'fd00::2', 1])
  const tried = await texts('many/prod:1')
  assert.equal(tried.length, 17)
  assert.equal(tried[1], 'fd00::1')
})

test('a port name is resolved by its SRV record, tcp and udp apart', async t => {
  const { server, texts } = await start(t, {
    [`_http._tcp.${dbName}`]: { srv: [{ name: dbName, port: 8_080 }] },
    [`_dns._udp.${dbName}`]: { srv: [{ name: dbName, port: 53 }] },
    [dbName]: { a: ['10.0.0.7'] },
  })
  assert.deepEqual(await texts('db/prod:http'), ['10.0.0.7', 8_080])
  assert.deepEqual(await texts('db/prod:dns/udp'), ['10.0.0.7', 53])
  assert.equal(server.queries[0], `SRV _http._tcp.${dbName}`)
})

test('a headless service is resolved to the pods that have the preferred port', async t => {
  const { texts } = await start(t, {
    [`_http._tcp.${dbName}`]: {
      srv: [
        { name: `c.${dbName}`, port: 7_070, priority: 20 },
        { name: `a.${dbName}`, port: 8_080, priority: 10 },
        { name: `gone.${dbName}`, port: 8_080, priority: 10 },
        { name: `b.${dbName}`, port: 8_080, priority: 10 },
        { name: `other.${dbName}`, port: 9_090, priority: 10 },
      ],
    },
    [`a.${dbName}`]: { a: ['10.0.0.1'] },
    [`b.${dbName}`]: { a: ['10.0.0.2'] },
    [`c.${dbName}`]: { a: ['10.0.0.3'] },
    [`other.${dbName}`]: { a: ['10.0.0.4'] },
  })
  assert.deepEqual(await texts('db/prod:http'), ['10.0.0.1', '10.0.0.2', 8_080])
})

const failing: [what: string, record: Record<string, DnsRecord>, message: string, hint: RegExp][] = [
  ['an unknown name', {}, 'no such name', /names of the service and its namespace/],
  ['a name without addresses', { [dbName]: {} }, 'the name exists but nothing is behind it', /ready endpoints/],
  ['a failing server', { [dbName]: 'servfail' }, 'the name server failed', /DNS of the agent/],
  ['no data beside a failure', { [dbName]: { aaaa: 'servfail' } }, 'the name server failed', /DNS of the agent/],
]
for (const [what, records, message, hint] of failing) {
  test(`${what} gives a DNS error that says so`, async t => {
    const { resolver } = await start(t, records)
    await assert.rejects(resolver.resolve(db, never), {
      code: 'DNS',
      message: `cannot resolve db.prod.svc.cluster.local: ${message}`,
      hint,
    })
  })
}

test('an unknown port name gives a DNS error that points at the port', async t => {
  const { resolver } = await start(t, { [dbName]: { a: ['10.0.0.7'] }, [`_none._tcp.${dbName}`]: {} })
  for (const port of ['http', 'none'])
    await assert.rejects(resolver.resolve(parseTarget(`db/prod:${port}`), never), {
      code: 'DNS',
      message: new RegExp(
        `^no port is named ${port} there, .*cannot resolve _${port}._tcp.db.prod.svc.cluster.local: `,
      ),
      hint: /name of the port/,
    })
})

test('an SRV record that means "not here" gives a DNS error, and its name is not asked for', async t => {
  const { server, resolver } = await start(t, {
    [`_http._tcp.${dbName}`]: {
      srv: [
        { name: '.', port: 80 },
        { name: 'a', port: 0 },
      ],
    },
  })
  await assert.rejects(resolver.resolve(parseTarget('db/prod:http'), never), { code: 'DNS', message: /no such name/ })
  assert.equal(server.queries.length, 1)
})

test('"no such name" for one family outweighs a failure of the other', async () => {
  const nameServer = {
    ...failingNameServer('ESERVFAIL'),
    resolve6: failingNameServer('ENOTFOUND').resolve6,
  }
  const resolver = new Resolver({ clusterDomain: 'cluster.local', nameServer })
  await assert.rejects(resolver.resolve(db, never), { code: 'DNS', message: /no such name/ })
})

test('a silent AAAA delays the answer of A by no more than 50 ms', async t => {
  const clock = new ManualClock()
  const { resolver } = await start(t, { [dbName]: { a: ['10.0.0.7'], aaaa: 'silent' } }, { clock })
  const answer = resolver.resolve(db, never)
  let settled = false
  void answer.then(() => {
    settled = true
  })
  await clock.untilPending(1)
  clock.advance(49)
  await new Promise(setImmediate)
  assert.equal(settled, false)
  clock.advance(1)
  assert.deepEqual((await answer).addresses, [{ address: '10.0.0.7', family: 4 }])
  assert.equal(clock.pending, 0)
})

test('a failing family does no harm to the other one', async t => {
  const { texts } = await start(t, { [dbName]: { a: ['10.0.0.7'], aaaa: 'servfail' } })
  assert.deepEqual(await texts('db/prod:1'), ['10.0.0.7', 1])
})

test('an abort ends the wait for a silent server at once', async t => {
  const { server, resolver } = await start(t, { [dbName]: 'silent' })
  const stop = new AbortController()
  const answer = resolver.resolve(db, stop.signal)
  stop.abort()
  await assert.rejects(answer, { code: 'GONE', message: /db\/prod:5432/ })
  await assert.rejects(resolver.resolve(db, stop.signal), { code: 'GONE' })
  assert.ok(server.queries.length <= 2)
})

test('nobody at the address of the server is a DNS error, retryable, without another way when servers were given', async () => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const servers = [`127.0.0.1:${socket.address().port}`]
  socket.close()
  const lookup = () => assert.fail('must not fall back')
  const resolver = new Resolver({ clusterDomain: 'cluster.local', servers, lookup })
  await assert.rejects(resolver.resolve(db, never), {
    code: 'DNS',
    message: 'cannot resolve db.prod.svc.cluster.local: no name server can be reached',
    retryable: true,
  })
})

test('a server that is not an address is a usage error', () => {
  assert.throws(() => new Resolver({ clusterDomain: 'cluster.local', servers: ['dns.example'] }), {
    code: 'USAGE',
    message: /IP or IP:PORT, not dns\.example/,
  })
})

/** Stands for c-ares where the machine's own servers would be asked. */
function failingNameServer(code: string): NonNullable<ResolverOptions['nameServer']> {
  const fail = () => Promise.reject(Object.assign(new Error(code), { code }))
  return { resolve4: fail, resolve6: fail, resolveSrv: fail, resolveCname: fail } as unknown as NonNullable<
    ResolverOptions['nameServer']
  >
}

for (const code of ['ECONNREFUSED', 'ETIMEOUT']) {
  test(`when no server answers c-ares (${code}), getaddrinfo is asked for the same absolute name`, async () => {
    const asked: string[] = []
    const lookup = async (name: string) => {
      asked.push(name)
      return [{ address: '10.0.0.7', family: 4 }]
    }
    const nameServer = failingNameServer(code)
    const resolver = new Resolver({ clusterDomain: 'cluster.local', nameServer, lookup })
    assert.equal((await resolver.resolve(db, never)).addresses[0]?.address, '10.0.0.7')
    assert.deepEqual(asked, ['db.prod.svc.cluster.local.'])
  })
}

test('an answer of the server, even a bad one, is never overruled by getaddrinfo', async () => {
  const lookup = () => assert.fail('must not fall back')
  for (const code of ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED']) {
    const resolver = new Resolver({ clusterDomain: 'cluster.local', nameServer: failingNameServer(code), lookup })
    await assert.rejects(resolver.resolve(db, never), { code: 'DNS' })
  }
})

test('an answer is kept for 5 s, and the same question is asked once at a time', async t => {
  const clock = new ManualClock()
  const { server, texts } = await start(t, { [dbName]: { a: ['10.0.0.7'] } }, { clock })
  await Promise.all([texts('db/prod:1'), texts('db/prod:1'), texts('db/prod:1')])
  clock.advance(4_999)
  await texts('db/prod:1')
  assert.equal(server.queries.length, 3)
  clock.advance(1)
  await texts('db/prod:1')
  assert.equal(server.queries.length, 6)
})

test('a failure is not kept', async t => {
  const records: Record<string, DnsRecord> = {}
  const { resolver, texts } = await start(t, records, { clock: new ManualClock() })
  await assert.rejects(resolver.resolve(db, never), { code: 'DNS' })
  records[dbName] = { a: ['10.0.0.7'] }
  assert.deepEqual(await texts('db/prod:5432'), ['10.0.0.7', 5_432])
})

test('the cache holds 1024 answers and lets the oldest go', async () => {
  const asked: string[] = []
  const nameServer = {
    ...failingNameServer('ENODATA'),
    resolve4: async (name: string) => [`10.0.0.${asked.push(name) % 250}`],
  } as unknown as NonNullable<ResolverOptions['nameServer']>
  const resolver = new Resolver({ clusterDomain: 'cluster.local', nameServer, clock: new ManualClock() })
  const ask = (i: number) => resolver.resolve(parseTarget(`s${i}/prod:1`), never)
  for (let i = 0; i <= 1_024; i++) await ask(i)
  assert.equal(asked.length, 1_025)
  await ask(1_024)
  await ask(1)
  assert.equal(asked.length, 1_025)
  await ask(0)
  assert.equal(asked.length, 1_026)
})

test('a host of the catalogue is itself when it is an address, else what this machine makes of it', async () => {
  const lookup = async () => [
    { address: 'fd00::1', family: 6 },
    { address: '10.0.0.1', family: 4 },
  ]
  const resolver = new Resolver({ clusterDomain: 'cluster.local', lookup })
  const addresses = async (host: string) =>
    (await resolver.resolveHost(host, 80, never)).addresses.map(({ address, family }) => `${family} ${address}`)
  assert.deepEqual(await addresses('192.168.0.1'), ['4 192.168.0.1'])
  assert.deepEqual(await addresses('::1'), ['6 ::1'])
  assert.deepEqual(await addresses('db.internal'), ['4 10.0.0.1', '6 fd00::1'])
  const real = await new Resolver({ clusterDomain: 'cluster.local' }).resolveHost('localhost', 80, never)
  assert.ok(real.addresses.some(({ address }) => address === '127.0.0.1' || address === '::1'))
})

test('a host that getaddrinfo does not know is a DNS error', async () => {
  const lookup = () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))
  const resolver = new Resolver({ clusterDomain: 'cluster.local', lookup })
  await assert.rejects(resolver.resolveHost('db.internal', 80, never), {
    code: 'DNS',
    message: 'cannot resolve db.internal: no such name',
  })
})

const resolvConfs: [text: string, domain: string | undefined][] = [
  [
    'search prod.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
    'cluster.local',
  ],
  ['search a.svc.k8s.example.com svc.k8s.example.com. k8s.example.com', 'k8s.example.com'],
  ['search svc.old.local\nsearch\tprod.svc.new.local\tsvc.new.local', 'new.local'],
  ['# search svc.cluster.local\nsearch example.com', undefined],
  ['search svc. svc', undefined],
  ['nameserver 1.1.1.1\r\n', undefined],
  ['search svc.cluster.local\r\n', 'cluster.local'],
  ['', undefined],
]
for (const [text, domain] of resolvConfs) {
  test(`the cluster domain in ${JSON.stringify(text)} is ${domain}`, () => assert.equal(clusterDomainOf(text), domain))
}

test('every target asks with its own namespace and service', async t => {
  const { server, resolver } = await start(t, {})
  for (const target of ['a/b:1', 'a-b/c:1'].map(text => parseTarget(text)))
    await assert.rejects(resolver.resolve(target, never), { code: 'DNS' }, formatTarget(target))
  assert.deepEqual(
    [...new Set(server.queries.map(query => query.split(' ')[1]))],
    ['a.b.svc.cluster.local', 'a-b.c.svc.cluster.local'],
  )
})

test('an alias is followed to what it stands for, in the cluster and out of it', async t => {
  const alias = (name: string): DnsRecord => ({ a: ['203.0.113.7'], cname: [{ alias: name }] })
  const { resolver } = await start(t, {
    [dbName]: alias('other.dev.svc.cluster.local'),
    'other.dev.svc.cluster.local': alias('DB.Example.com'),
    'inside.prod.svc.cluster.local': alias('pg-0.pg.dev.svc.cluster.local'),
    'pg-0.pg.dev.svc.cluster.local': { a: ['10.0.0.1'] },
    'round.prod.svc.cluster.local': alias('round.prod.svc.cluster.local'),
    'pod.prod.svc.cluster.local': alias('1-2-3-4.default.pod.cluster.local'),
  })
  const aliases = async (target: string) => (await resolver.resolve(parseTarget(target), never)).aliases
  const other = { service: 'other', namespace: 'dev', host: 'other.dev.svc.cluster.local' }
  const itself = { service: 'db', namespace: 'prod', host: dbName }
  assert.deepEqual(await aliases('db/prod:5432'), { services: [itself, other], external: 'db.example.com' })
  assert.deepEqual(await aliases('inside/prod:1'), {
    services: [
      { service: 'inside', namespace: 'prod', host: 'inside.prod.svc.cluster.local' },
      { service: 'pg-0.pg', namespace: 'dev', host: 'pg-0.pg.dev.svc.cluster.local' },
    ],
  })
  assert.equal((await aliases('round/prod:1'))?.external, 'round.prod.svc.cluster.local')
  assert.equal((await aliases('pod/prod:1'))?.external, '1-2-3-4.default.pod.cluster.local')
})

test('a server that cannot say what a name stands for gives a DNS error, and no way around it', async t => {
  const { resolver } = await start(t, { [dbName]: { a: ['10.0.0.7'], cname: 'servfail' } })
  await assert.rejects(resolver.resolve(db, never), { code: 'DNS', message: /the name server failed/ })
})

test('a record of SRV that leads out of the cluster is seen to', async t => {
  const { resolver } = await start(t, {
    [`_pg._tcp.${dbName}`]: { srv: [{ name: 'db.example.com', port: 5_432 }] },
    'db.example.com': { a: ['203.0.113.7'] },
  })
  const { aliases } = await resolver.resolve(parseTarget('db/prod:pg'), never)
  assert.equal(aliases?.external, 'db.example.com')
})
