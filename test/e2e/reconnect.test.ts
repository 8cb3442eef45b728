/** Connections outlive the gateway, and listeners outlive everything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/processes.ts'
import { ECHO, Restarts } from '../support/restarts.ts'
import { dial, echoed, outcome } from '../support/sockets.ts'
import { metricsOf } from '../support/tunnel.ts'

test('an idle connection outlives kill -9 of the gateway, and so do the listeners', async t => {
  const world = await Restarts.begin(t)
  const { connect } = world
  const client = await world.echo()
  const since = connect.events.length
  await world.gateway.process.kill()
  const lost = await connect.process.event('disconnected', undefined, since)
  assert.ok(String(lost.reason).length > 0)

  // The listener accepts meanwhile, and what is written waits.
  const early = await dial(connect.port(ECHO))
  const both = Promise.all([echoed(early, 'opened without a gateway'), echoed(client, 'written without a gateway')])
  await world.startGateway()
  const resumed = await connect.process.event('resumed', undefined, since)
  assert.ok(Number(resumed.gapMs) > 0)
  await both
  await echoed(client, 'after')
  const names = connect.events.slice(since).map(({ event }) => event)
  assert.equal(names.filter(name => name === 'close' || name === 'error').length, 0)
  client.end()
  assert.equal(await outcome(client), 'in order')
})

test('an agent that was killed and started again: connections are reset, listeners stay, and new ones wait for it', async t => {
  const world = await Restarts.begin(t)
  const { connect } = world
  const client = await world.echo()
  const since = connect.events.length
  const seen = outcome(client)
  await world.agent.process.kill()
  await connect.process.event('disconnected', undefined, since)
  const early = await dial(connect.port(ECHO))
  const heard = echoed(early, 'opened without an agent')
  await world.startAgent()
  assert.equal(await seen, 'ECONNRESET')
  const lost = await connect.process.event('error', undefined, since)
  assert.equal(lost.code, 'NOT_FOUND')
  await connect.process.event('connected', undefined, since)
  await heard
  early.end()
  assert.equal(await outcome(early), 'in order')
})

test('a connect that stops in order leaves no session at the agent', async t => {
  const { connect, agent } = await Restarts.begin(t)
  const sessions = async () => (await metricsOf(agent)).get('sessions')
  const client = await dial(connect.port(ECHO))
  await echoed(client, 'before')
  assert.equal(await sessions(), 1)
  const seen = outcome(client)
  await connect.process.kill('SIGINT')
  assert.equal((await connect.process.exited).code, 130)
  assert.equal(await seen, 'ECONNRESET')
  await eventually(
    async () => (await sessions()) === 0,
    () => 'the session is still there',
  )
})
