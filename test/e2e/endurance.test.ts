/** Many connections leave nothing behind: no handle, no entry in a table, no memory. */

import assert from 'node:assert/strict'
import { connect as connectTo } from 'node:net'
import { after, test } from 'node:test'
import { eventually } from '../support/processes.ts'
import { dial, echoed, outcome, serveEcho } from '../support/sockets.ts'
import { metricsOf, startTunnel } from '../support/tunnel.ts'

const MiB = 1024 * 1024
const scope = { after }
const tunnel = await startTunnel(scope, {
  services: { 'echo/test:7': await serveEcho(scope) },
  connect: { args: ['--stats-interval', '200ms'] },
})
const { agent, connect, gateway } = tunnel
const processes = [connect.process, gateway.process, agent.process]
const port = tunnel.port('echo/test:7')

/** One connection from its beginning to its end in order. */
function visit(number: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = `visit ${number}`
    let heard = ''
    const client = connectTo({ port, host: '127.0.0.1', allowHalfOpen: true })
    client.on('error', reject)
    client.on('data', chunk => {
      heard += chunk.toString()
      if (heard.length >= sent.length) client.end()
    })
    client.on('close', () => (heard === sent ? resolve() : reject(new Error(`sent ${sent}, heard ${heard}`))))
    client.write(sent)
  })
}

/** `count` visits, one after another in each of a few lanes. */
async function visits(count: number, lanes = 8): Promise<void> {
  let number = 0
  const lane = async () => {
    while (number < count) await visit(number++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Handles of each process. */
const handles = () => processes.map(process => process.handles ?? 0)

/** Nothing is open any more, and no process has more handles than `before`, but for those of the questions themselves. */
async function settled(before: readonly number[]): Promise<void> {
  let seen = {}
  const look = async () => {
    const [atAgent, atGateway] = await Promise.all([metricsOf(agent), metricsOf(gateway)])
    const atConnect = connect.events.findLast(({ event }) => event === 'stats')?.streamsOpen
    const open = [atAgent.get('streams'), atGateway.get('queued_bytes'), atConnect]
    const sessions = [atAgent.get('sessions'), atGateway.get('sessions'), atGateway.get('clients')]
    seen = { open, sessions, handles: handles() }
    const noMoreHandles = handles().every((count, index) => count <= (before[index] ?? 0) + 4)
    return open.every(count => count === 0) && sessions.every(count => count === 1) && noMoreHandles
  }
  await eventually(look, () => `handles before: ${before.join(', ')}; now ${JSON.stringify(seen)}`)
}

const memory = () => processes.map(({ residentBytes = 0 }) => residentBytes)

test('27,000 connections one after another leave no handle, no entry and no memory behind', async () => {
  const before = handles()
  // As many as it takes until the heap has been full once: V8 looks through it no sooner.
  await visits(12_000)
  const first = memory()
  await visits(15_000)
  await settled(before)
  for (const [index, bytes] of memory().entries()) {
    const grown = bytes - (first[index] ?? 0)
    // 15,000 connections that kept 2 KiB each would be 30 MiB.
    assert.ok(grown < 24 * MiB, `${processes[index]?.name} grew by ${(grown / MiB).toFixed(1)} MiB`)
  }
  assert.ok(((await metricsOf(agent)).get('streams_total') ?? 0) >= 27_000)
})

test('2,000 connections at a time all work, and leave nothing behind', async () => {
  const before = handles()
  const round = async () => {
    const clients = []
    for (let opened = 0; opened < 2_000; opened += 200) {
      clients.push(...(await Promise.all(Array.from({ length: 200 }, () => dial(port)))))
    }
    await Promise.all(clients.map((client, index) => echoed(client, `client ${index} of many`)))
    assert.equal((await metricsOf(agent)).get('streams'), 2_000)
    // Half end in order, half are dropped.
    for (const [index, client] of clients.entries()) index % 2 === 0 ? client.end() : client.resetAndDestroy()
    await Promise.all(clients.map(outcome))
    await settled(before)
    return memory()
  }
  const first = await round()
  const last = await round()
  for (const [index, bytes] of last.entries()) {
    const grown = bytes - (first[index] ?? 0)
    assert.ok(grown < 32 * MiB, `${processes[index]?.name} grew by ${(grown / MiB).toFixed(1)} MiB`)
  }
})
