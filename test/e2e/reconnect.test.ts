/** Connections outlive the gateway, and listeners outlive everything. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { eventually } from '../support/processes.ts'
import { dial, echoed, freePort, outcome, pattern, serveByHand, serveEcho, within } from '../support/sockets.ts'
import { metricsOf, type Scope, Site, serviceArgs } from '../support/tunnel.ts'

const MiB = 1024 * 1024

/** A tunnel whose gateway and agent can be killed and started again. */
async function world(scope: Scope) {
  const hand = await serveByHand(scope)
  const services = { 'echo/test:7': await serveEcho(scope), 'hand/test:1': hand.port }
  const site = await Site.create(scope)
  const at = `127.0.0.1:${await freePort()}`
  const agentToken = await site.token({ role: 'agent' })
  let gateway = await site.gateway([], at)
  let agent = await site.agent(gateway, serviceArgs(services), agentToken)
  const connect = await site.connect(gateway, Object.keys(services))
  return {
    connect,
    hand,
    killGateway: () => gateway.process.kill('SIGKILL'),
    startGateway: async () => {
      gateway = await site.gateway([], at)
    },
    agentSessions: async () => (await metricsOf(agent)).get('sessions'),
    killAgent: () => agent.process.kill('SIGKILL'),
    startAgent: async () => {
      agent = await site.agent(gateway, serviceArgs(services), agentToken)
    },
  }
}

test('an idle connection outlives kill -9 of the gateway, and so do the listeners', async t => {
  const { connect, killGateway, startGateway } = await world(t)
  const port = connect.port('echo/test:7')
  const client = await dial(port)
  await echoed(client, 'before')
  const since = connect.events.length
  await killGateway()
  const lost = await connect.process.event('disconnected', undefined, since)
  assert.ok(String(lost.reason).length > 0)

  // The listener accepts meanwhile, and what is written waits.
  const early = await dial(port)
  const both = Promise.all([echoed(early, 'opened without a gateway'), echoed(client, 'written without a gateway')])
  await startGateway()
  const resumed = await connect.process.event('resumed', undefined, since)
  assert.ok(Number(resumed.gapMs) > 0)
  await both
  await echoed(client, 'after')
  const names = connect.events.slice(since).map(({ event }) => event)
  assert.equal(names.filter(name => name === 'close' || name === 'error').length, 0)
  client.end()
  assert.equal(await outcome(client), 'in order')
})

test('bytes that flow both ways while the gateway is killed, three times, arrive once and in order', async t => {
  const { connect, hand, killGateway, startGateway } = await world(t)
  const client = await dial(connect.port('hand/test:1'))
  const served = await hand.accepted()
  const total = 96 * MiB
  /** Beyond each share of the bytes nobody sends before the gateway was killed and came back once more. */
  const gates = [0.33, 0.66, 0.95].map(share => new Gate(share * total))
  const [up, down] = [new Count(served), new Count(client)]
  const flows = [
    pipeline(Readable.from(gated(pattern(total, 1), gates)), client),
    pipeline(Readable.from(gated(pattern(total, 2), gates)), served),
  ]
  for (const [index, gate] of gates.entries()) {
    const share = [0.15, 0.5, 0.8][index] ?? 1
    await within(Promise.all([up.reach(total * share), down.reach(total * share)]), 'progress')
    const since = connect.events.length
    await killGateway()
    await connect.process.event('disconnected', undefined, since)
    await startGateway()
    await connect.process.event('resumed', undefined, since)
    gate.open()
  }
  await within(Promise.all([...flows, up.ended, down.ended]), 'end of the transfer')
  assert.equal(up.sha256(), digestOf(pattern(total, 1)))
  assert.equal(down.sha256(), digestOf(pattern(total, 2)))
})

test('an agent that was killed and started again: connections are reset, listeners stay, and new ones wait for it', async t => {
  const { connect, killAgent, startAgent } = await world(t)
  const port = connect.port('echo/test:7')
  const client = await dial(port)
  await echoed(client, 'before')
  const since = connect.events.length
  const seen = outcome(client)
  await killAgent()
  await connect.process.event('disconnected', undefined, since)
  const early = await dial(port)
  const heard = echoed(early, 'opened without an agent')
  await startAgent()
  assert.equal(await seen, 'ECONNRESET')
  const lost = await connect.process.event('error', undefined, since)
  assert.equal(lost.code, 'NOT_FOUND')
  await connect.process.event('connected', undefined, since)
  await heard
  early.end()
  assert.equal(await outcome(early), 'in order')
})

test('a connect that stops in order leaves no session at the agent', async t => {
  const { connect, agentSessions } = await world(t)
  const client = await dial(connect.port('echo/test:7'))
  await echoed(client, 'before')
  assert.equal(await agentSessions(), 1)
  const seen = outcome(client)
  await connect.process.kill('SIGINT')
  assert.equal((await connect.process.exited).code, 130)
  assert.equal(await seen, 'ECONNRESET')
  await eventually(
    async () => (await agentSessions()) === 0,
    () => 'the session is still there',
  )
})

/** What a socket receives, counted and digested. */
class Count {
  bytes = 0
  readonly ended: Promise<void>
  readonly #hash = createHash('sha256')
  #goals: { at: number; reached: () => void }[] = []

  constructor(socket: Socket) {
    socket.on('data', chunk => {
      this.bytes += chunk.length
      this.#hash.update(chunk)
      for (const goal of this.#goals) if (this.bytes >= goal.at) goal.reached()
      this.#goals = this.#goals.filter(({ at }) => this.bytes < at)
    })
    this.ended = new Promise((resolve, reject) => {
      socket.once('end', resolve)
      socket.once('error', reject)
    })
  }

  reach(at: number): Promise<void> {
    return this.bytes >= at ? Promise.resolve() : new Promise(reached => this.#goals.push({ at, reached }))
  }

  sha256(): string {
    return this.#hash.digest('hex')
  }
}

function digestOf(blocks: Iterable<Buffer>): string {
  const hash = createHash('sha256')
  for (const block of blocks) hash.update(block)
  return hash.digest('hex')
}

class Gate {
  readonly at: number
  readonly opened: Promise<void>
  open: () => void = () => {}

  constructor(at: number) {
    this.at = at
    this.opened = new Promise(resolve => {
      this.open = resolve
    })
  }
}

async function* gated(blocks: Iterable<Buffer>, gates: readonly Gate[]): AsyncGenerator<Buffer> {
  let sent = 0
  for (const block of blocks) {
    for (const gate of gates) if (sent >= gate.at) await gate.opened
    sent += block.length
    yield block
  }
}
