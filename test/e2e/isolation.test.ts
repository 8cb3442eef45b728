/** What goes wrong with one connection stays with that connection. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDnsServer } from '../support/dns-server.ts'
import type { Process } from '../support/processes.ts'
import { dial, echoed, freePort, outcome, outcomeOf, serve, serveEcho, within } from '../support/sockets.ts'
import { startTunnel } from '../support/tunnel.ts'

const MiB = 1024 * 1024
const scope = { after }

test('C77: one reader that stops for 10 s among 100 streams stops nobody else, nor the pings, nor takes memory', async () => {
  const CONTROL_MS = 1_500
  const FAST_MS = 3_000
  const CALM_MS = 7_000
  const source = await Source.start()
  const tunnel = await startTunnel(scope, {
    services: { 'source/test:1': source.port },
    connect: { args: ['--ping-interval', '250ms', '--stats-interval', '250ms'] },
  })
  const { connect, gateway, agent } = tunnel
  const processes = [connect.process, gateway.process, agent.process]
  const clients = await Promise.all(Array.from({ length: 100 }, () => dial(tunnel.port('source/test:1'))))
  const [stalled, ...others] = clients
  assert.ok(stalled)
  const meter = new Meter(clients)
  // Everybody has had its share before anything is measured.
  await meter.everybodyRead(256 * 1024)

  const start = connect.events.length
  const control = await meter.measure(CONTROL_MS)
  const before = processes.map(memoryOf)
  const since = connect.events.length
  stalled.pause()

  // First as fast as three processes can: the others keep their speed, and share it fairly.
  const fast = await meter.measure(FAST_MS)
  const rates = others.map(client => fast.bytesOf(client) / FAST_MS)
  const ratio = sum(rates) / sum(others.map(client => control.bytesOf(client) / CONTROL_MS))
  assert.ok(ratio > 0.5, `the 99 others fell to ${ratio.toFixed(2)} of their rate before`)
  const share = Math.min(...rates) / (sum(rates) / others.length)
  assert.ok(share > 0.25, `one of the 99 others had only ${share.toFixed(2)} of its fair share`)

  // Then at a pace that leaves the machine some air: everybody gets all that is sent.
  source.pace(STEP_BYTES)
  const steps = source.steps
  const calm = await meter.measure(CALM_MS)
  const sent = (source.steps - steps) * STEP_BYTES
  const least = Math.min(...others.map(client => calm.bytesOf(client))) / sent
  assert.ok(least > 0.5, `one of the 99 others had only ${least.toFixed(2)} of what was sent`)
  const seen = fast.bytesOf(stalled) + calm.bytesOf(stalled)
  assert.ok(seen < MiB, 'the stalled stream was read after all')

  // One window of at most 16 MiB, and what a garbage collector leaves lying about.
  assertGrowth(processes, before, 96 * MiB)

  const pingsFrom = (from: number, to?: number) =>
    connect.events.slice(from, to).flatMap(({ event, pingMs }) => (event === 'stats' ? [Number(pingMs)] : []))
  const pings = pingsFrom(since)
  assert.ok(pings.length >= 5, 'stats went on')
  // On a machine that is busy with other things they are slow before anybody stops; then they may not get slower.
  const most = Math.max(50, 1.5 * median(pingsFrom(start, since)))
  assert.ok(median(pings) < most, `pings took ${pings.join(', ')} ms, allowed are ${most.toFixed(0)}`)

  const total = meter.bytesOf(stalled)
  stalled.resume()
  source.pace(undefined)
  await meter.everybodyRead(total + MiB)
  for (const client of clients) client.resetAndDestroy()
})

test('readers that have stopped take one window each and no more, however fast the service sends', async () => {
  const source = await Source.start()
  const tunnel = await startTunnel(scope, { services: { 'source/test:1': source.port } })
  const { connect, gateway, agent } = tunnel
  const processes = [connect.process, gateway.process, agent.process]
  const clients = await Promise.all(Array.from({ length: 4 }, () => dial(tunnel.port('source/test:1'))))
  const meter = new Meter(clients)
  await meter.everybodyRead(32 * MiB)
  const before = processes.map(memoryOf)
  for (const client of clients) client.pause()
  await meter.measure(2_000)
  // Without a bound it would be hundreds of MiB by now.
  assertGrowth(processes, before, 96 * MiB)
  for (const client of clients) client.resume()
  await meter.everybodyRead(64 * MiB)
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

/** One step of a paced source: 64 MiB/s over 100 streams. */
const STEP_MS = 50
const STEP_BYTES = 32 * 1024

/** A service that sends for ever: as fast as it is read, or at a pace. */
class Source {
  readonly #sockets = new Set<Socket>()
  /** Steps made at a pace. */
  steps = 0
  #stepBytes: number | undefined
  #port = 0

  static async start(): Promise<Source> {
    const source = new Source()
    source.#port = await serve(scope, socket => {
      source.#sockets.add(socket)
      socket.on('close', () => source.#sockets.delete(socket))
      socket.on('drain', () => source.#fill(socket))
      source.#fill(socket)
    })
    const timer = setInterval(() => source.#step(), STEP_MS)
    after(() => clearInterval(timer))
    return source
  }

  get port(): number {
    return this.#port
  }

  /** @param stepBytes what each stream gets every STEP_MS; undefined: as much as it takes */
  pace(stepBytes: number | undefined): void {
    this.#stepBytes = stepBytes
    for (const socket of this.#sockets) if (!socket.writableNeedDrain) this.#fill(socket)
  }

  #fill(socket: Socket): void {
    while (this.#stepBytes === undefined && !socket.destroyed && socket.write(CHUNK));
  }

  #step(): void {
    if (this.#stepBytes === undefined) return
    this.steps++
    for (const socket of this.#sockets) if (!socket.writableNeedDrain) socket.write(CHUNK.subarray(0, this.#stepBytes))
  }
}

const CHUNK = Buffer.alloc(64 * 1024, 7)

interface Measure {
  readonly bytesOf: (client: Socket) => number
}

/** Counts what each client reads. */
class Meter {
  readonly #total = new Map<Socket, number>()
  #check: () => void = () => {}

  constructor(clients: readonly Socket[]) {
    for (const client of clients) {
      this.#total.set(client, 0)
      client.on('data', chunk => {
        this.#total.set(client, this.bytesOf(client) + chunk.length)
        this.#check()
      })
    }
  }

  bytesOf(client: Socket): number {
    return this.#total.get(client) ?? 0
  }

  everybodyRead(bytes: number): Promise<void> {
    const all = new Promise<void>(resolve => {
      this.#check = () => {
        for (const total of this.#total.values()) if (total < bytes) return
        this.#check = () => {}
        resolve()
      }
      this.#check()
    })
    return within(all, `${bytes} bytes for everybody`)
  }

  async measure(ms: number): Promise<Measure> {
    const from = new Map(this.#total)
    await sleep(ms)
    const to = new Map(this.#total)
    return { bytesOf: client => (to.get(client) ?? 0) - (from.get(client) ?? 0) }
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

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
