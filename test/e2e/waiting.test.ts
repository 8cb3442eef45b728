/** What waits while a part of the tunnel is away, for how long, and what is said when that is too long. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/processes.ts'
import { ECHO, HAND, Restarts, saidSince } from '../support/restarts.ts'
import { dial, echoed, outcome, outcomeOf } from '../support/sockets.ts'
import { type Connect, metricsOf } from '../support/tunnel.ts'

const hold1s = ['--hold-timeout', '1s']

/** A connection that is opened now is reset, and one line says why. */
async function resetWhenHeld(connect: Connect): Promise<{ code: unknown; message: unknown; ms: number }> {
  const since = connect.events.length
  const openedAt = performance.now()
  const held = await dial(connect.port(ECHO))
  held.write('will anybody read this?')
  assert.equal(await outcome(held), 'ECONNRESET')
  const ms = performance.now() - openedAt
  const { code, message, target } = await connect.process.event('error', undefined, since)
  assert.equal(target, ECHO)
  assert.deepEqual(
    saidSince(connect, since).filter(name => name === 'error' || name === 'close'),
    ['error'],
  )
  return { code, message, ms }
}

test('--hold-timeout: opened while the gateway is away, reset after it; what was established waits on', async t => {
  const world = await Restarts.begin(t, { connectArgs: hold1s })
  const { connect } = world
  const client = await world.echo()
  await world.gateway.process.kill()
  await connect.process.event('disconnected')
  const { code, message, ms } = await resetWhenHeld(connect)
  assert.equal(code, 'GATEWAY_UNREACHABLE')
  assert.equal(message, 'no connection to the gateway for 1 s')
  assert.ok(ms >= 900, `after ${ms} ms`)
  await world.startGateway()
  await echoed(client, 'it waited on')
  await world.echo()
})

test('--hold-timeout: opened while the agent is away, reset after it, and the line names the agent', async t => {
  const world = await Restarts.begin(t, { connectArgs: hold1s })
  const { connect } = world
  await world.agent.process.kill()
  await connect.process.event('disconnected')
  // Whatever is tried at the moment in which the time of one is up, the line is the same.
  const outcomes: Promise<string>[] = []
  for (let index = 0; index < 20; index++) {
    outcomes.push(outcomeOf(connect.port(ECHO), 'x'))
    await pause(75)
  }
  assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(['ECONNRESET']))
  const lines = connect.events.filter(({ event }) => event === 'error').map(({ code, message }) => `${code} ${message}`)
  assert.deepEqual(lines, Array(20).fill('AGENT_UNAVAILABLE no connection to the agent for 1 s'))
})

test('D93: the agent forgets a session whose client is away too long: sockets are reset, the listener stays', async t => {
  const world = await Restarts.begin(t, { agentArgs: ['--detached-ttl', '1s'] })
  const { connect, agent } = world
  const { client, served } = await world.byHand()
  const [seen, seenByService] = [outcome(client), outcome(served)]
  const since = connect.events.length
  await world.gateway.process.kill()
  assert.equal(await seenByService, 'ECONNRESET', 'the service is told without waiting for the client')
  assert.ok(agent.process.events.every(({ event }) => event !== 'stopped'))
  await world.startGateway()
  assert.equal(await seen, 'ECONNRESET')
  const { code, hint } = await connect.process.event('error', line => line.stream === undefined, since)
  assert.equal(code, 'NOT_FOUND')
  assert.match(String(hint), /a new one begins/)
  await connect.process.event('connected', undefined, since)
  await world.echo()
})

const CONNECTIONS = 350
/** So little at a time that it leaves whatever is under way already (src/mux/scheduler.ts). */
const LITTLE_BYTES = 2_000

test('D99: --detached-memory: of two sessions whose clients are away, the one that went first gives way', async t => {
  const world = await Restarts.begin(t, { agentArgs: ['--detached-memory', '4'] })
  const { agent, hand } = world
  const figure = async (name: string) => (await metricsOf(agent)).get(name) ?? 0
  /** A client that stands still with many connections, into each of which its service writes a little: 0.7 MB in all. */
  const stuffed = async (connect: Connect) => {
    const sockets: Socket[] = []
    for (let index = 0; index < CONNECTIONS; index++) {
      await dial(connect.port(HAND))
      sockets.push(await hand.accepted())
    }
    const before = await figure('kept_bytes')
    process.kill(connect.process.pid, 'SIGSTOP')
    for (const socket of sockets) socket.write(Buffer.alloc(LITTLE_BYTES))
    const enough = CONNECTIONS * LITTLE_BYTES
    await eventually(
      async () => (await figure('kept_bytes')) - before > enough,
      async () => `${(await figure('kept_bytes')) - before} bytes are kept`,
    )
    return { connect, ends: sockets.map(outcome) }
  }
  const first = await stuffed(world.connect)
  const second = await stuffed(await world.newConnect())
  await first.connect.process.kill()
  await eventually(
    async () => (await figure('detached_sessions')) === 1,
    () => 'the first client is not missed',
  )
  assert.equal(await figure('sessions'), 2, 'one alone is within the budget')
  await second.connect.process.kill()
  assert.deepEqual(await Promise.all(first.ends), Array(CONNECTIONS).fill('ECONNRESET'))
  assert.equal(await figure('sessions'), 1)
  assert.equal(await figure('detached_sessions'), 1)
  assert.ok((await figure('kept_bytes')) > 0, 'the second is kept')
})
