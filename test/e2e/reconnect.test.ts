/** Connections outlive the gateway, and listeners outlive everything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/processes.ts'
import { dial, echoed, freePort, outcome, serveEcho } from '../support/sockets.ts'
import { metricsOf, type Scope, Site, serviceArgs } from '../support/tunnel.ts'

/** A tunnel whose gateway and agent can be killed and started again. */
async function world(scope: Scope) {
  const services = { 'echo/test:7': await serveEcho(scope) }
  const site = await Site.create(scope)
  const at = `127.0.0.1:${await freePort()}`
  const agentToken = await site.token({ role: 'agent' })
  let gateway = await site.gateway([], at)
  let agent = await site.agent(gateway, serviceArgs(services), agentToken)
  const connect = await site.connect(gateway, Object.keys(services))
  return {
    connect,
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
