/** Group E, and the targets of group C: what a client asks for, and what an agent dials. */
import assert from 'node:assert/strict'
import { type connect, Socket } from 'node:net'
import { after, test } from 'node:test'
import { Catalogue } from '../../src/agent/catalogue.ts'
import { Dialer } from '../../src/agent/dialer.ts'
import { Policy } from '../../src/agent/policy.ts'
import { Resolver } from '../../src/agent/resolver.ts'
import { parseTarget } from '../../src/net/target.ts'
import { decodeReset, encodeOpen, FrameType, Verdict } from '../../src/wire/frame.ts'
import { type DnsRecord, startDnsServer } from '../support/dns-server.ts'
import { freePort, serve } from '../support/sockets.ts'
import { Arena } from './arena.ts'
import { data, open, RawSession, target, unit } from './session.ts'

const scope = { after }
const [DENIED, BAD_TARGET, DNS, LIMIT] = [5, 6, 9, 4]
const zone = '.prod.svc.cluster.local'
const records: Record<string, DnsRecord> = {}
const dns = await startDnsServer(records)
after(() => dns.close())
let dialled = 0
const secret = await serve(scope, () => dialled++)
const arena = await Arena.start(scope, {
  agentArgs: [
    '--dns-server',
    dns.address,
    '--cluster-domain',
    'cluster.local',
    '--deny',
    'hidden/prod:*',
    '--limit',
    'vain-per-second=50',
  ],
  services: { 'hidden/prod:7': secret, 'secret/dev:7': secret, 'secret/prod:7': secret },
})

/** One stream for each of these targets, all of which are refused; code and reason of each. */
async function refused(jsons: readonly object[], allow = ['*/*:*']): Promise<[code: number, reason: string][]> {
  const session = await RawSession.create(await arena.client({ subject: `asker ${allow.join()}`, allow }))
  const answers: [number, string][] = []
  for (const [index, json] of jsons.entries()) {
    session.send(open(index + 1, json), data(index + 1, 'early'))
    const { stream, payload } = await session.next(FrameType.RESET)
    assert.equal(stream, index + 1)
    const { code, reason } = decodeReset(payload, 0, payload.length)
    answers.push([code, reason])
  }
  session.leave()
  await arena.unharmed()
  return answers
}

const noServices = [
  ...['169.254.169.254', '0.0.0.0', '100.100.100.200', '127.0.0.1', '127.1.2.3', '224.0.0.1', '255.255.255.255'],
  ...['::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe', 'fd00:ec2::254', '::', '::1', 'fe80::1'],
]

test('E101: a service that resolves to a metadata server, to the agent itself or to nowhere is denied and not dialled', async () => {
  const port = await freePort()
  let reached = 0
  const listener = await serve(scope, () => reached++)
  for (const [index, address] of noServices.entries()) {
    records[`n${index}${zone}`] = address.includes(':') ? { aaaa: [address] } : { a: [address] }
  }
  const asked = noServices.flatMap((_, index) => [
    target(`n${index}`, 'prod', port),
    target(`n${index}`, 'prod', listener),
  ])
  for (const [index, [code, reason]] of (await refused(asked)).entries()) {
    assert.equal(code, DENIED, `${noServices[index >> 1]}: ${reason}`)
    assert.match(reason, /no address of a service/)
  }
  assert.equal(reached, 0)
})

test('E101: an address is no name of a service, however it is written, and every question is below the cluster domain', async () => {
  const since = dns.queries.length
  const bad = [
    ...['169.254.169.254', '[::1]', '[::ffff:169.254.169.254]', '[fd00:ec2::254]', '::1', '127.0.0.1', 'localhost.'],
    ...['metadata.google.internal', '169.254.169.254.nip.io', '0xA9FEA9FE', '127.1.', 'kubernetes.default.svc'],
  ]
  for (const [index, [code]] of (await refused(bad.map(each => target(each)))).entries())
    assert.equal(code, BAD_TARGET, bad[index])
  assert.equal(dns.queries.length, since, 'nobody was asked')
  const names = ['0xa9fea9fe', '2852039166', '127.1', 'localhost', 'metadata']
  for (const [index, [code]] of (await refused(names.map(each => target(each)))).entries())
    assert.equal(code, DNS, names[index])
  for (const query of dns.queries.slice(since)) assert.ok(query.endsWith(zone), query)
})

test('E102: a name that changes its address between two questions is asked for once, and what was checked is what is dialled', async () => {
  let asked = 0
  const changing = await startDnsServer({
    [`db${zone}`]: {
      get a() {
        return [asked++ === 0 ? '10.0.0.7' : '169.254.169.254']
      },
    },
  })
  after(() => changing.close())
  const tried: unknown[] = []
  const dialer = new Dialer({
    catalogue: new Catalogue(),
    policy: new Policy({ allow: [], deny: [] }),
    resolver: new Resolver({ clusterDomain: 'cluster.local', servers: [changing.address] }),
    connect: options => {
      tried.push(options.host, options.lookup)
      const socket = new Socket()
      setImmediate(() => socket.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })))
      return socket as ReturnType<typeof connect>
    },
  })
  const db = parseTarget('db/prod:5432')
  await assert.rejects(dialer.dial(db, new AbortController().signal), { code: 'REFUSED' })
  assert.deepEqual([tried, asked], [['10.0.0.7', undefined], 1])
})

test('E103: what the token does not allow the gateway denies, what the agent does not the agent, and neither is dialled', async () => {
  const [byToken, byAgent] = await refused([target('secret', 'dev'), target('hidden')], ['*/prod:*'])
  assert.deepEqual([byToken?.[0], byAgent?.[0]], [DENIED, DENIED])
  assert.match(byToken?.[1] ?? '', /the token does not allow secret\/dev:7/)
  assert.match(byAgent?.[1] ?? '', /the agent denies hidden\/prod:7/)
  const session = await RawSession.create(await arena.client({ allow: ['echo/prod:7'] }))
  const forged = encodeOpen(1_000, target('secret'))
  forged[0] = Verdict.ALLOWED
  session.send(unit(FrameType.OPEN, 1, forged))
  assert.equal(await session.reset(), DENIED)
  session.leave()
  assert.equal(dialled, 0)
  await arena.unharmed()
})

const malformed: unknown[] = [
  ...['DB', 'db.', 'db.prod.svc', 'dB', 'ｄｂ', 'bücher', 'xn--b\u0456', 'db\0', 'db\r\nX: y', 'user@db', ''].map(
    each => target(each),
  ),
  ...['a'.repeat(64), '-db', 'db-', '*', '../db', 'pod/', 'pod/a/b', 'job/a', 'unix:/run/x.sock', 'file:///etc'].map(
    each => target(each),
  ),
  ...['http://db', 'db:7', 'db/prod'].map(each => target(each)),
  ...['Prod', 'prod.', 'prod/dev', '', 'pr\u202eod', '*'].map(each => target('echo', each)),
  ...[0, -1, 65_536, 7.5, 1e300, '7', '0', '65536', '5000-5999', 'a--b', '', 'HTTP', '7/udp'].map(each =>
    target('echo', 'prod', each),
  ),
  ...['sctp', 'unix', '', 'TCP'].map(each => target('echo', 'prod', 7, each)),
  ...[{ service: ['echo'] }, { namespace: { toString: 'prod' } }, { port: [7] }, { port: null }, { protocol: 0 }].map(
    each => ({ ...target('echo'), ...each }),
  ),
  {},
  { target: 'echo/prod:7' },
]

test('C69, E104, E105: what is no target in its one form is BAD_TARGET, and nothing is asked or dialled', async () => {
  const since = dns.queries.length
  const answers = await refused(malformed as object[])
  for (const [index, [code, reason]] of answers.entries()) {
    assert.equal(code, BAD_TARGET, JSON.stringify(malformed[index]))
    assert.doesNotMatch(reason, /\p{Cc}/u)
  }
  assert.equal(answers.length, malformed.length)
  assert.doesNotMatch(arena.agent.process.stderr.replaceAll('\n', ''), /[\p{Cc}\u202e]/u)
  assert.deepEqual([dns.queries.slice(since), dialled], [[], 0])
})

test('what is no target costs whoever asks for it as much as a service that is down', async () => {
  const session = await RawSession.create(await arena.client({ subject: 'babbler' }))
  const count = 300
  for (let stream = 1; stream <= count; stream++) session.send(open(stream, {}))
  const codes = new Set<number>()
  for (let answers = 0; answers < count; answers++) {
    const { payload } = await session.next(FrameType.RESET)
    codes.add(decodeReset(payload, 0, payload.length).code)
  }
  assert.deepEqual([...codes], [BAD_TARGET, LIMIT])
  session.leave()
  await arena.unharmed()
})
