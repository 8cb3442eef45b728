/** What goes wrong with one connection stays with that connection. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDnsServer } from '../support/dns-server.ts'
import type { Process } from '../support/processes.ts'
import { dial, echoed, freePort, outcome, outcomeOf, serve, serveEcho } from '../support/sockets.ts'
import { startTunnel } from '../support/tunnel.ts'

const MiB = 1024 * 1024
const scope = { after }

test('one reader that stops for 10 s among 100 streams stops nobody else, nor the pings, nor takes memory', async () => {
  const STALL_MS = 10_000
  const CONTROL_MS = 2_000
  const source = await serveWithoutEnd()
  const tunnel = await startTunnel(scope, {
    services: { 'source/test:1': source },
    connect: { args: ['--ping-interval', '250ms', '--stats-interval', '250ms'] },
  })
  const clients = await Promise.all(Array.from({ length: 100 }, () => dial(tunnel.port('source/test:1'))))
  const meter = new Meter(clients)
  // Everybody has had its share before anything is measured, the windows have grown, and the heaps with them.
  await meter.everybodyRead(256 * 1024)
  const { connect, gateway, agent } = tunnel
  const processes = [connect.process, gateway.process, agent.process]

  const start = connect.events.length
  const control = await meter.measure(CONTROL_MS)
  const before = processes.map(memoryOf)
  const since = connect.events.length
  const [stalled] = clients
  assert.ok(stalled)
  stalled.pause()
  const during = await meter.measure(STALL_MS)
  assert.ok((during.bytes.get(stalled) ?? 0) < 32 * MiB, 'the stalled stream was read after all')
  const others = clients.slice(1)
  const slowest = Math.min(...others.map(client => (during.bytes.get(client) ?? 0) / STALL_MS))
  const rate = ({ bytes }: Measure, ms: number) => others.reduce((sum, one) => sum + (bytes.get(one) ?? 0), 0) / ms
  const ratio = rate(during, STALL_MS) / rate(control, CONTROL_MS)
  assert.ok(ratio > 0.5, `the 99 others fell to ${ratio.toFixed(2)} of their rate before`)
  const fair = slowest / (rate(during, STALL_MS) / others.length)
  assert.ok(fair > 0.25, `one of the 99 others had only ${fair.toFixed(2)} of its fair share`)

  // One window of at most 16 MiB, and what a garbage collector leaves lying about.
  assertGrowth(processes, before, 96 * MiB)

  const pingsFrom = (from: number, to?: number) =>
    connect.events.slice(from, to).flatMap(({ event, pingMs }) => (event === 'stats' ? [Number(pingMs)] : []))
  const pings = pingsFrom(since)
  assert.ok(pings.length >= 5, 'stats went on')
  // On a machine that is busy with other things they are slow before anybody stops; then they may not get slower.
  const most = Math.max(50, 1.5 * median(pingsFrom(start, since)))
  assert.ok(median(pings) < most, `pings took ${pings.join(', ')} ms, allowed are ${most.toFixed(0)}`)

  stalled.resume()
  await meter.everybodyRead((during.bytes.get(stalled) ?? 0) + 4 * MiB)
  for (const client of clients) client.resetAndDestroy()
})

test('readers that have stopped take one window each and no more, however fast the service sends', async () => {
  const tunnel = await startTunnel(scope, { services: { 'source/test:1': await serveWithoutEnd() } })
  const { connect, gateway, agent } = tunnel
  const clients = await Promise.all(Array.from({ length: 4 }, () => dial(tunnel.port('source/test:1'))))
  const meter = new Meter(clients)
  await meter.everybodyRead(64 * MiB)
  const processes = [connect.process, gateway.process, agent.process]
  const before = processes.map(memoryOf)
  for (const client of clients) client.pause()
  await meter.measure(2_000)
  // Without a bound it would be hundreds of MiB by now.
  assertGrowth(processes, before, 96 * MiB)
  for (const client of clients) client.resume()
  await meter.everybodyRead(256 * MiB)
  for (const client of clients) client.resetAndDestroy()
})

test('a refused dial, a failing name and a denied target among 50 good connections harm none of them', async () => {
  const dns = await startDnsServer({})
  after(() => dns.close())
  const dead = await freePort()
  const tunnel = await startTunnel(scope, {
    services: { 'echo/good:7': await serveEcho(scope), 'dead/good:9': dead },
    targets: ['nowhere/good:5432', 'echo/secret:7'],
    allow: ['*/good:*'],
    agentArgs: ['--dns-server', dns.address],
  })
  const good = await Promise.all(Array.from({ length: 50 }, () => dial(tunnel.port('echo/good:7'))))
  const allEcho = (round: string) => Promise.all(good.map((client, index) => echoed(client, `${round} ${index};`)))
  await allEcho('before')

  const failing = [
    { target: 'dead/good:9', code: 'REFUSED', message: /refused the connection/ },
    { target: 'nowhere/good:5432', code: 'DNS', message: /cannot resolve nowhere\.good\.svc\.cluster\.local/ },
    { target: 'echo/secret:7', code: 'DENIED', message: /the token does not allow echo\/secret:7/ },
  ]
  const bad = failing.map(async ({ target, code, message }) => {
    assert.equal(await outcomeOf(tunnel.port(target), 'is anybody there'), 'ECONNRESET', target)
    const error = await tunnel.connect.process.event('error', event => event.target === target)
    assert.equal(error.code, code)
    assert.match(String(error.message), message)
    assert.ok(String(error.hint).length > 0)
    const closed = await tunnel.connect.process.event('close', event => event.target === target)
    assert.equal(closed.code, code)
  })
  await Promise.all([...bad, allEcho('during')])
  await allEcho('after')
  const count = (name: string) => tunnel.connect.events.filter(({ event }) => event === name).length
  assert.equal(count('error'), failing.length)
  assert.equal(count('close'), failing.length)
  for (const client of good) client.end()
  for (const client of good) assert.equal(await outcome(client), 'in order')
})

/** A service that sends for ever, as fast as it is read: the client decides the pace of each stream. */
function serveWithoutEnd(): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, 7)
  return serve(scope, socket => {
    const fill = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', fill)
    fill()
  })
}

interface Measure {
  readonly bytes: ReadonlyMap<Socket, number>
}

/** Counts what each client reads. */
class Meter {
  readonly #total = new Map<Socket, number>()
  #check: () => void = () => {}

  constructor(clients: readonly Socket[]) {
    for (const client of clients) {
      this.#total.set(client, 0)
      client.on('data', chunk => {
        this.#total.set(client, (this.#total.get(client) ?? 0) + chunk.length)
        this.#check()
      })
    }
  }

  everybodyRead(bytes: number): Promise<void> {
    return new Promise(resolve => {
      this.#check = () => {
        for (const total of this.#total.values()) if (total < bytes) return
        this.#check = () => {}
        resolve()
      }
      this.#check()
    })
  }

  async measure(ms: number): Promise<Measure> {
    const from = new Map(this.#total)
    await sleep(ms)
    return { bytes: new Map([...this.#total].map(([client, total]) => [client, total - (from.get(client) ?? 0)])) }
  }
}

function memoryOf({ residentBytes }: Process): number {
  return residentBytes ?? 0
}

function assertGrowth(processes: readonly Process[], before: readonly number[], most: number): void {
  for (const [index, each] of processes.entries()) {
    const grown = memoryOf(each) - (before[index] ?? 0)
    assert.ok(grown < most, `${each.name} grew by ${(grown / MiB).toFixed(0)} MiB`)
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
