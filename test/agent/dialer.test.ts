import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { getEventListeners, once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Catalogue, parseCatalogueEntry } from '../../src/agent/catalogue.ts'
import { Dialer, type DialerOptions } from '../../src/agent/dialer.ts'
import { Policy } from '../../src/agent/policy.ts'
import { Resolver } from '../../src/agent/resolver.ts'
import { TunnelError } from '../../src/errors.ts'
import { parsePattern } from '../../src/net/pattern.ts'
import { parseTarget } from '../../src/net/target.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { ManualClock } from './manual-clock.ts'

const never = new AbortController().signal
const db = parseTarget('db/prod:5432')
type Connect = NonNullable<DialerOptions['connect']>

/** A TCP server on a free port of loopback. */
async function listen(t: TestContext, onSocket: (socket: net.Socket) => void = () => {}, host = '127.0.0.1') {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    onSocket(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await once(server.close(), 'close')
  }
  t.after(close)
  return { port: (server.address() as AddressInfo).port, close }
}

/** Waits for the end of a socket, whatever its reason: `once` would reject on an error. */
async function closed(socket: net.Socket | undefined): Promise<void> {
  assert.ok(socket)
  if (!socket.closed) await new Promise<void>(resolve => socket.once('close', () => resolve()))
}

/** A port of loopback where nobody listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface World {
  entries?: string[]
  /** What every name resolves to. */
  addresses?: string[]
  connect?: Connect
  clock?: ManualClock
  allow?: string[]
  deny?: string[]
  dialTimeoutMs?: number
  discovery?: NonNullable<DialerOptions['discovery']>
}

function dialer({ entries = [], addresses = [], allow = [], deny = [], ...rest }: World): Dialer {
  const found = addresses.map(address => ({ address, family: net.isIPv6(address) ? (6 as const) : (4 as const) }))
  const resolver = new Resolver({ clusterDomain: 'cluster.local' })
  return new Dialer({
    catalogue: new Catalogue(entries.map(parseCatalogueEntry)),
    policy: new Policy({ allow: allow.map(parsePattern), deny: deny.map(parsePattern) }),
    resolver: {
      resolve: async ({ port }) => ({ addresses: found, port: Number(port) }),
      resolveHost: (host, port, signal) => resolver.resolveHost(host, port, signal),
    },
    ...rest,
  })
}

/** What a network does that loopback cannot: for each address a real port, an errno, or silence. */
function network(fates: Record<string, number | string>) {
  const sockets: { at: string; socket: net.Socket; options: net.TcpNetConnectOpts }[] = []
  const waiters: { count: number; resolve: () => void }[] = []
  const connect: Connect = options => {
    const fate = fates[options.host ?? ''] ?? 'silence'
    const socket =
      typeof fate === 'number'
        ? net.connect({ ...options, host: '127.0.0.1', port: fate, family: 4 })
        : new net.Socket()
    if (typeof fate === 'string' && fate !== 'silence')
      setImmediate(() => socket.destroy(Object.assign(new Error(`connect ${fate}`), { code: fate })))
    sockets.push({ at: options.host ?? '', socket, options })
    for (const waiter of waiters) if (sockets.length >= waiter.count) waiter.resolve()
    return socket
  }
  return {
    connect,
    sockets,
    tried: () => sockets.map(({ at }) => at),
    untilTried: async (count: number) => {
      if (sockets.length < count) await new Promise<void>(resolve => waiters.push({ count, resolve }))
    },
  }
}

test('a listed service is dialled, and bytes and half-close go both ways', async t => {
  const { port } = await listen(t, socket => {
    socket.on('data', data => socket.write(data)).on('end', () => socket.end('bye'))
  })
  const dialled = await dialer({ entries: [`db/prod:5432=127.0.0.1:${port}`] }).dial(db, never)
  assert.equal(dialled.port, port)
  dialled.socket.end('hello ')
  const chunks: Buffer[] = await dialled.socket.toArray()
  assert.equal(Buffer.concat(chunks).toString(), 'hello bye')
})

test('a server that speaks first is heard, however late the caller listens', async t => {
  const { port } = await listen(t, socket => socket.end('220 ready'))
  const { socket } = await dialer({ entries: [`db/prod:5432=127.0.0.1:${port}`] }).dial(db, never)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  assert.equal(Buffer.concat(await socket.toArray()).toString(), '220 ready')
})

test('the socket allows half-open, sends without delay and keeps alive after 30 s', async t => {
  const { port } = await listen(t)
  const wires = network({ '10.0.0.7': port })
  const { socket } = await dialer({ addresses: ['10.0.0.7'], connect: wires.connect }).dial(db, never)
  t.after(() => socket.destroy())
  const [attempt] = wires.sockets
  assert.ok(attempt)
  assert.equal(attempt.socket, socket)
  const { allowHalfOpen, noDelay, keepAlive, keepAliveInitialDelay, port: asked } = attempt.options
  assert.deepEqual(
    { allowHalfOpen, noDelay, keepAlive, keepAliveInitialDelay, asked },
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, asked: 5_432 },
  )
})

test('an error on the socket before the caller listens ends no process', async t => {
  const { port } = await listen(t, socket => socket.once('data', () => socket.resetAndDestroy()))
  const wires = network({ '10.0.0.1': port })
  const addresses = ['10.0.0.1', '10.0.0.2']
  const { socket } = await dialer({ addresses, connect: wires.connect }).dial(db, never)
  socket.write('x')
  await closed(socket)
  assert.equal(socket.listenerCount('error'), 1)
  assert.deepEqual(wires.tried(), ['10.0.0.1'])
})

test('a host name of the catalogue is dialled on whichever loopback answers', async t => {
  const { port } = await listen(t)
  const { socket } = await dialer({ entries: [`db/prod:5432=localhost:${port}`] }).dial(db, never)
  assert.equal(socket.remotePort, port)
  socket.destroy()
})

test('an IPv6 address is dialled, and shown in brackets when it fails', async t => {
  const server = await listen(t, () => {}, '::1').catch(() => undefined)
  if (!server) return t.skip('this machine has no IPv6 loopback')
  const six = dialer({ entries: [`db/prod:5432=[::1]:${server.port}`] })
  const { socket } = await six.dial(db, never)
  assert.equal(socket.remoteFamily, 'IPv6')
  socket.destroy()
  await server.close()
  const message = `cannot reach db/prod:5432: [::1]:${server.port} refused the connection`
  await assert.rejects(six.dial(db, never), { code: 'REFUSED', message })
})

test('a name goes through DNS to the service, a port name to its number', async t => {
  const { port } = await listen(t)
  const name = 'db.prod.svc.cluster.local'
  const dns = await startDnsServer({
    [`_postgres._tcp.${name}`]: { srv: [{ name, port }] },
    [name]: { a: ['127.0.0.1'] },
  })
  t.after(() => dns.close())
  const real = new Dialer({
    catalogue: new Catalogue(),
    resolver: new Resolver({ clusterDomain: 'cluster.local', servers: [dns.address] }),
    policy: new Policy({ allow: [], deny: [], loopback: true }),
  })
  for (const text of [`db/prod:${port}`, 'db/prod:postgres']) {
    const dialled = await real.dial(parseTarget(text), never)
    assert.equal(dialled.port, port)
    dialled.socket.destroy()
  }
  await assert.rejects(real.dial(parseTarget('nodb/prod:1'), never), {
    code: 'DNS',
    message: 'cannot resolve nodb.prod.svc.cluster.local: no such name',
  })
})

test('a closed port is REFUSED, with the target and the address in the message', async () => {
  const port = await closedPort()
  await assert.rejects(dialer({ entries: [`db/prod:5432=127.0.0.1:${port}`] }).dial(db, never), {
    code: 'REFUSED',
    message: `cannot reach db/prod:5432: 127.0.0.1:${port} refused the connection`,
  })
})

const errnos: [errno: string, code: string, words: string][] = [
  ['ECONNREFUSED', 'REFUSED', '10.0.0.7:5432 refused the connection'],
  ['EHOSTUNREACH', 'UNREACHABLE', '10.0.0.7:5432 is unreachable (EHOSTUNREACH)'],
  ['ENETUNREACH', 'UNREACHABLE', '10.0.0.7:5432 is unreachable (ENETUNREACH)'],
  ['EADDRNOTAVAIL', 'UNREACHABLE', '10.0.0.7:5432 is unreachable (EADDRNOTAVAIL)'],
  ['EACCES', 'UNREACHABLE', '10.0.0.7:5432 is unreachable (EACCES)'],
  ['EPERM', 'UNREACHABLE', '10.0.0.7:5432 is unreachable (EPERM)'],
  ['ECONNRESET', 'PEER_RESET', '10.0.0.7:5432 reset the connection at once'],
  ['ETIMEDOUT', 'DIAL_TIMEOUT', '10.0.0.7:5432 did not answer'],
  ['EMFILE', 'LIMIT', 'the agent is out of file descriptors (EMFILE)'],
  ['EWHATEVER', 'UNREACHABLE', '10.0.0.7:5432 is unreachable (EWHATEVER)'],
]
for (const [errno, code, words] of errnos) {
  test(`${errno} becomes ${code}`, async () => {
    const { connect } = network({ '10.0.0.7': errno })
    await assert.rejects(dialer({ addresses: ['10.0.0.7'], connect }).dial(db, never), {
      code,
      message: `cannot reach db/prod:5432: ${words}`,
    })
  })
}

test('the next address is tried at once when one refuses or cannot be reached', async t => {
  const { port } = await listen(t)
  const wires = network({ '10.0.0.1': 'ECONNREFUSED', '10.0.0.2': 'EHOSTUNREACH', '10.0.0.3': port })
  const clock = new ManualClock()
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4']
  const { socket } = await dialer({ addresses, clock, connect: wires.connect }).dial(db, never)
  assert.equal(socket.remotePort, port)
  assert.deepEqual(wires.tried(), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  assert.equal(clock.pending, 0)
  socket.destroy()
})

test('a black-holed address costs 250 ms, not the deadline, and its socket is destroyed', async t => {
  const { port } = await listen(t)
  const wires = network({ '10.0.0.1': 'silence', '10.0.0.2': 'silence', '10.0.0.3': port })
  const clock = new ManualClock()
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
  const dial = dialer({ addresses, clock, connect: wires.connect }).dial(db, never)
  await wires.untilTried(1)
  clock.advance(249)
  assert.equal(wires.sockets.length, 1)
  clock.advance(1)
  assert.equal(wires.sockets.length, 2)
  clock.advance(250)
  const { socket } = await dial
  assert.deepEqual(
    wires.sockets.map(attempt => attempt.socket.destroyed),
    [true, true, false],
  )
  assert.equal(clock.pending, 0)
  socket.destroy()
})

test('an attempt that is merely slow still wins after the others have failed', async t => {
  const { port } = await listen(t)
  const slow = new net.Socket()
  const wires = network({ '10.0.0.2': 'ECONNREFUSED' })
  const clock = new ManualClock()
  const connect: Connect = options => (options.host === '10.0.0.1' ? slow : wires.connect(options))
  const dial = dialer({ addresses: ['10.0.0.1', '10.0.0.2'], clock, connect }).dial(db, never)
  await clock.untilPending(2)
  clock.advance(250)
  await closed(wires.sockets[0]?.socket)
  slow.connect(port, '127.0.0.1')
  assert.equal((await dial).socket, slow)
  slow.destroy()
})

test('the deadline ends the dial after 10 s and closes every attempt', async () => {
  const wires = network({})
  const clock = new ManualClock()
  const dial = dialer({ addresses: ['10.0.0.1', '10.0.0.2'], clock, connect: wires.connect }).dial(db, never)
  await wires.untilTried(1)
  clock.advance(9_999)
  assert.equal(wires.sockets.length, 2)
  assert.ok(wires.sockets.every(({ socket }) => !socket.destroyed))
  clock.advance(1)
  await assert.rejects(dial, {
    code: 'DIAL_TIMEOUT',
    message:
      'cannot reach db/prod:5432: 10.0.0.1:5432 did not answer within 10 s; 10.0.0.2:5432 did not answer within 10 s',
  })
  assert.ok(wires.sockets.every(({ socket }) => socket.destroyed))
  assert.equal(clock.pending, 0)
})

test('the most telling failure comes first and gives the code', async () => {
  const all: Record<string, string> = { '10.0.0.1': 'silence', '10.0.0.2': 'EHOSTUNREACH', '10.0.0.3': 'ECONNREFUSED' }
  const cases: [addresses: string[], code: string, message: RegExp][] = [
    [['10.0.0.1', '10.0.0.2', '10.0.0.3'], 'REFUSED', /: 10\.0\.0\.3:5432 refused .*10\.0\.0\.2.*10\.0\.0\.1/],
    [['10.0.0.1', '10.0.0.2'], 'UNREACHABLE', /: 10\.0\.0\.2:5432 is unreachable .*10\.0\.0\.1/],
  ]
  for (const [addresses, code, message] of cases) {
    const wires = network(all)
    const clock = new ManualClock()
    const dial = dialer({ addresses, clock, connect: wires.connect }).dial(db, never)
    await wires.untilTried(1)
    clock.advance(250)
    await wires.untilTried(addresses.length)
    await closed(wires.sockets.at(-1)?.socket)
    clock.advance(9_750)
    await assert.rejects(dial, { code, message })
  }
})

test('a long list of failures stays one short line', async () => {
  const addresses = Array.from({ length: 16 }, (_, i) => `10.0.0.${i + 1}`)
  const { connect } = network(Object.fromEntries(addresses.map(address => [address, 'ECONNREFUSED'])))
  await assert.rejects(dialer({ addresses, connect }).dial(db, never), (error: unknown) => {
    assert.ok(error instanceof TunnelError)
    assert.match(error.message, /10\.0\.0\.3:5432 refused the connection; 13 more addresses failed$/)
    assert.ok(Buffer.byteLength(error.message) <= 256)
    return true
  })
})

test('an abort ends the dial as GONE: before it starts, in DNS, and among attempts', async () => {
  const wires = network({})
  const clock = new ManualClock()
  const options = { addresses: ['10.0.0.1', '10.0.0.2'], clock, connect: wires.connect }
  const gone = { code: 'GONE', message: 'the dial of db/prod:5432 was given up' }
  await assert.rejects(dialer(options).dial(db, AbortSignal.abort()), gone)
  assert.equal(wires.sockets.length, 0)

  const stop = new AbortController()
  const dial = dialer(options).dial(db, stop.signal)
  await wires.untilTried(1)
  clock.advance(250)
  stop.abort()
  await assert.rejects(dial, gone)
  assert.deepEqual(
    wires.sockets.map(({ socket }) => socket.destroyed),
    [true, true],
  )
  assert.equal(clock.pending, 0)

  const silent = silentDialer(clock)
  const asking = new AbortController()
  const waiting = silent.dial(db, asking.signal)
  asking.abort()
  await assert.rejects(waiting, gone)
})

/** Asks a name server that never answers. */
function silentDialer(clock: ManualClock): Dialer {
  const nothing = () => new Promise<never>(() => {})
  const nameServer = { resolve4: nothing, resolve6: nothing, resolveSrv: nothing, resolveCname: nothing } as never
  return new Dialer({
    catalogue: new Catalogue(),
    policy: new Policy({ allow: [], deny: [] }),
    resolver: new Resolver({ clusterDomain: 'cluster.local', nameServer, clock }),
    clock,
  })
}

test('the deadline counts the time in DNS, and then says DNS', async () => {
  const clock = new ManualClock()
  const dial = silentDialer(clock).dial(db, never)
  clock.advance(10_000)
  await assert.rejects(dial, {
    code: 'DNS',
    message: 'cannot reach db/prod:5432: DNS did not answer within 10 s',
  })
})

test('an abort after the dial has no hold on the socket', async t => {
  const { port } = await listen(t)
  const stop = new AbortController()
  const { socket } = await dialer({ entries: [`db/prod:5432=127.0.0.1:${port}`] }).dial(db, stop.signal)
  stop.abort()
  await new Promise(setImmediate)
  assert.equal(socket.destroyed, false)
  socket.destroy()
})

test('what the policy denies is not dialled, listed or not', async () => {
  const wires = network({})
  const { connect } = wires
  const denied = { code: 'DENIED', message: /^the agent denies db\/prod:5432: the pattern db\/\*:\* denies it$/ }
  const entries = ['db/prod:5432=127.0.0.1:1']
  await assert.rejects(dialer({ entries, connect, deny: ['db/*:*'] }).dial(db, never), denied)
  await assert.rejects(dialer({ addresses: ['10.0.0.1'], connect, deny: ['db/*:*'] }).dial(db, never), denied)
  await assert.rejects(dialer({ entries, connect, allow: ['web/*:*'] }).dial(db, never), { code: 'DENIED' })
  assert.equal(wires.sockets.length, 0)
})

test('E101: a service name never leads to the metadata server or to the loopback of the agent', async () => {
  const wires = network({})
  for (const address of ['169.254.169.254', '127.0.0.1', '::1'])
    await assert.rejects(dialer({ addresses: [address], connect: wires.connect }).dial(db, never), {
      code: 'DENIED',
      message: `the agent denies db/prod:5432: it resolves to ${address}, which is no address of a service`,
    })
  assert.equal(wires.sockets.length, 0)
})

test('a UDP target gets a socket that is connected to its address alone', async t => {
  const service = createSocket('udp4').bind(0, '127.0.0.1')
  await once(service, 'listening')
  const world = dialer({ entries: [`dns/a:53/udp=127.0.0.1:${service.address().port}`] })
  const { socket, port } = await world.dialUdp(parseTarget('dns/a:53/udp'), never)
  t.after(() => {
    service.close()
    socket.close()
  })
  assert.equal(port, service.address().port)
  assert.deepEqual([socket.remoteAddress().address, socket.remoteAddress().port], ['127.0.0.1', port])
  const heard = once(service, 'message') as Promise<[Buffer]>
  socket.send('?')
  assert.equal(String((await heard)[0]), '?')
})

test('a UDP service that no datagram can be sent to is unreachable, and no socket is left', async () => {
  const sockets = () => process.getActiveResourcesInfo().filter(each => each === 'UDPWRAP').length
  const before = sockets()
  // Nobody may send to all of a network unasked, so the kernel refuses to connect.
  const dial = dialer({ entries: ['dns/a:53/udp=255.255.255.255:53'] }).dialUdp(parseTarget('dns/a:53/udp'), never)
  await assert.rejects(dial, {
    code: 'UNREACHABLE',
    message: 'cannot reach dns/a:53/udp: 255.255.255.255:53 is unreachable (EACCES)',
  })
  await new Promise(setImmediate)
  assert.equal(sockets(), before)
})

test('the policy and the time for a dial hold for UDP too', async () => {
  const target = parseTarget('dns/a:53/udp')
  const entries = ['dns/a:53/udp=127.0.0.1:53']
  await assert.rejects(dialer({ entries, deny: ['dns/a:*/udp'] }).dialUdp(target, never), { code: 'DENIED' })
  await assert.rejects(dialer({ entries }).dialUdp(target, AbortSignal.abort()), { code: 'GONE' })
})

test('a pod is dialled where discovery says, by its own port, unless it is one of a denied service', async t => {
  const { port } = await listen(t)
  const { connect, tried } = network({ '10.0.0.7': port })
  const pods = () => ({ addresses: [{ address: '10.0.0.7', family: 4 as const }], port: 8080, services: ['web'] })
  const discovery = { notReady: () => undefined, pods }
  const target = parseTarget('pod/web-0/prod:http')
  const { socket, port: dialled } = await dialer({ discovery, connect }).dial(target, never)
  socket.destroy()
  assert.deepEqual([dialled, tried()], [8080, ['10.0.0.7']])
  await assert.rejects(dialer({ discovery, connect, deny: ['web/prod:80'] }).dial(target, never), { code: 'DENIED' })
  await assert.rejects(dialer({ discovery, connect, deny: ['*/*:8080'] }).dial(target, never), { code: 'DENIED' })
  await assert.rejects(dialer({ connect }).dial(target, never), {
    code: 'UNREACHABLE',
    message: 'cannot reach pod/web-0/prod:http: the agent knows services by name, and no pods',
  })
  assert.equal(tried().length, 1)
})

test('five hundred dials under one signal leave nothing behind', async t => {
  const warnings: Error[] = []
  const warn = (warning: Error) => warnings.push(warning)
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  const { port } = await listen(t)
  const stop = new AbortController()
  const clock = new ManualClock()
  const many = dialer({ entries: [`db/prod:5432=127.0.0.1:${port}`], clock })
  const dialled = await Promise.all(Array.from({ length: 500 }, () => many.dial(db, stop.signal)))
  assert.equal(clock.pending, 0)
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
  await Promise.all(dialled.map(({ socket }) => closed(socket.destroy())))
  await new Promise(setImmediate)
  assert.deepEqual(warnings, [])
})
