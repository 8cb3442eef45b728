/** SIGTERM: a gateway sends its ends to a successor, an agent lets its connections end. Other signals end at once. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Process } from '../support/processes.ts'
import { ECHO, HAND, Restarts, saidSince } from '../support/restarts.ts'
import { dial, echoed, outcome, outcomeOf, pattern, readAll, within } from '../support/sockets.ts'

/** Far below the 30 s that a drain may take when nothing else is said. */
const SOON_MS = 10_000

/** The last line that a role has logged. */
const lastLine = ({ events }: Process): Readonly<Record<string, unknown>> => events.at(-1) ?? {}

async function readiness({ admin }: { readonly admin: string }): Promise<string> {
  const answer = await fetch(`${admin}/readyz`)
  return `${answer.status} ${(await answer.text()).trim()}`
}

test('a gateway that drains: its ends move to a successor at the same address, and what flows goes on', async t => {
  const world = await Restarts.begin(t)
  const { connect, agent, gateway: old } = world
  const client = await dial(connect.port(ECHO))
  let moved = false
  const sent = createHash('sha256')
  function* untilMoved() {
    let left = 64
    for (const block of pattern(Number.MAX_SAFE_INTEGER)) {
      if (moved && left-- === 0) return
      sent.update(block)
      yield block
    }
  }
  const received = createHash('sha256')
  client.on('data', chunk => received.update(chunk))
  const echoes = outcome(client)
  const upload = pipeline(Readable.from(untilMoved()), client)
  await within(new Promise(resolve => client.once('data', resolve)), 'first byte')

  const since = connect.events.length
  const agentSince = agent.process.events.length
  process.kill(old.process.pid, 'SIGTERM')
  await old.process.event('draining')
  assert.equal(await readiness(old), '503 draining')
  await world.startGateway()
  const { reason } = await agent.process.event('registered', undefined, agentSince)
  assert.equal(reason, 'drain')
  assert.equal((await connect.process.event('moved', undefined, since)).reason, 'drain')
  moved = true
  assert.deepEqual(await old.process.finished(SOON_MS), { code: 0, signal: null })
  const { event, moved: left, closed } = lastLine(old.process)
  assert.deepEqual({ event, left, closed }, { event: 'stopped', left: 2, closed: 0 })
  assert.equal(await readiness(world.gateway), '200 ready')

  await within(upload, 'end of the transfer')
  assert.equal(await echoes, 'in order')
  assert.equal(received.digest('hex'), sent.digest('hex'))
  await echoed(await dial(connect.port(ECHO)), 'a new one')
  assert.deepEqual(
    saidSince(connect, since).filter(name => !['moved', 'open', 'close'].includes(name)),
    [],
  )
  assert.equal(agent.process.events.slice(agentSince).filter(line => line.event === 'disconnected').length, 0)
})

test('a gateway that drains without a successor closes with 1012 when the time is up, and the ends come back', async t => {
  const world = await Restarts.begin(t, { gatewayArgs: ['--drain-timeout', '1s'] })
  const { connect, agent, gateway: old } = world
  const client = await world.echo()
  const since = connect.events.length
  process.kill(old.process.pid, 'SIGTERM')
  await old.process.event('draining')
  await echoed(client, 'still here')
  assert.deepEqual(await old.process.finished(SOON_MS), { code: 0, signal: null })
  const { event, moved, closed } = lastLine(old.process)
  assert.deepEqual({ event, moved, closed }, { event: 'stopped', moved: 0, closed: 2 })
  const lost = await agent.process.event('disconnected')
  assert.equal((lost.error as { code?: string }).code, 'DRAINING', 'which is what 1012 means')
  await connect.process.event('disconnected', undefined, since)
  await world.startGateway()
  await connect.process.event('resumed', undefined, since)
  await echoed(client, 'and back')
})

test('who is asked to move while the gateway drains does not forget that it must', async t => {
  const world = await Restarts.begin(t)
  const { connect, gateway: old } = world
  const client = await world.echo()
  const since = connect.events.length
  process.kill(old.process.pid, 'SIGTERM')
  await old.process.event('draining')
  // Before and after it is told to leave, which nobody but the two of them hears.
  for (let index = 0; index < 12; index++) {
    process.kill(connect.process.pid, 'SIGHUP')
    await pause(75)
  }
  await world.startGateway()
  await connect.process.event('moved', ({ reason }) => reason === 'drain', since)
  assert.deepEqual(await old.process.finished(SOON_MS), { code: 0, signal: null })
  assert.equal(lastLine(old.process).closed, 0)
  await echoed(client, 'still here')
})

test('SIGINT at a gateway ends it at once', async t => {
  const { gateway } = await Restarts.begin(t)
  process.kill(gateway.process.pid, 'SIGINT')
  assert.deepEqual(await gateway.process.finished(SOON_MS), { code: 0, signal: null })
  assert.equal(lastLine(gateway.process).closed, 2)
  assert.ok(!gateway.process.events.some(({ event }) => event === 'draining'))
})

test('a second SIGTERM ends a gateway that drains at once', async t => {
  const { gateway } = await Restarts.begin(t)
  process.kill(gateway.process.pid, 'SIGTERM')
  await gateway.process.event('draining')
  process.kill(gateway.process.pid, 'SIGTERM')
  assert.deepEqual(await gateway.process.finished(SOON_MS), { code: 143, signal: null })
})

test('an agent that drains lets its connections end, takes no new ones, and goes with the last', async t => {
  const world = await Restarts.begin(t)
  const { connect, agent } = world
  const { client, served } = await world.byHand()
  const since = connect.events.length
  process.kill(agent.process.pid, 'SIGTERM')
  await agent.process.event('draining')
  assert.equal(await readiness(agent), '503 draining')

  assert.equal(await outcomeOf(connect.port(ECHO), 'too late'), 'ECONNRESET')
  const refused = await connect.process.event('error', undefined, since)
  assert.deepEqual([refused.code, refused.target], ['DRAINING', ECHO])
  assert.equal(saidSince(connect, since).filter(name => name === 'error').length, 1)

  client.write('a question')
  await within(new Promise(resolve => served.once('data', resolve)), 'question')
  client.end()
  const last = Buffer.concat([...pattern(3 * 1024 * 1024)])
  const heard = readAll(client)
  served.end(last)
  assert.ok((await heard).equals(last), 'the last bytes')
  assert.deepEqual(await agent.process.finished(SOON_MS), { code: 0, signal: null })
  const { event, cut } = lastLine(agent.process)
  assert.deepEqual({ event, cut }, { event: 'stopped', cut: 0 })
  const { code } = await connect.process.event('close', line => line.target === HAND, since)
  assert.equal(code, 'OK')
})

test('a connection that does not end is cut when the time of the drain is up, and the agent says how many', async t => {
  const world = await Restarts.begin(t, { agentArgs: ['--drain-timeout', '1s'] })
  const { connect, agent } = world
  const { client } = await world.byHand()
  const seen = outcome(client)
  process.kill(agent.process.pid, 'SIGTERM')
  assert.deepEqual(await agent.process.finished(SOON_MS), { code: 1, signal: null })
  assert.equal(await seen, 'ECONNRESET')
  assert.equal(lastLine(agent.process).cut, 1)
  const lines = agent.process.stderr.split('\n').filter(line => line !== '' && !line.startsWith('{'))
  assert.equal(lines.length, 1, 'one line that is not of the log')
  assert.match(lines[0] ?? '', /^tunnelctl: GONE connections that were cut: 1 \(.*--drain-timeout.*\)$/)
  await connect.process.event('close', line => line.target === HAND && line.code !== 'OK')
})

test('an agent that drains and loses its gateway comes back for the sessions that it holds', async t => {
  const world = await Restarts.begin(t)
  const { connect, agent } = world
  const { client, served } = await world.byHand()
  process.kill(agent.process.pid, 'SIGTERM')
  await agent.process.event('draining')
  const since = connect.events.length
  await world.gateway.process.kill()
  await connect.process.event('disconnected', undefined, since)
  client.write('written without a gateway')
  client.end()
  await world.startGateway()
  await connect.process.event('resumed', undefined, since)
  assert.equal((await readAll(served)).toString(), 'written without a gateway')
  served.end('and answered')
  assert.equal((await readAll(client)).toString(), 'and answered')
  assert.deepEqual(await agent.process.finished(SOON_MS), { code: 0, signal: null })
  assert.equal(lastLine(agent.process).cut, 0)
})

for (const [first, second, code] of [
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGTERM', 'SIGINT', 130],
] as const) {
  test(`${second} ends an agent that drains at once`, async t => {
    const world = await Restarts.begin(t)
    const { client } = await world.byHand()
    const { agent } = world
    process.kill(agent.process.pid, first)
    await agent.process.event('draining')
    process.kill(agent.process.pid, second)
    assert.deepEqual(await agent.process.finished(SOON_MS), { code, signal: null })
    client.destroy()
  })
}

test('SIGINT at an agent does not wait for its connections', async t => {
  const world = await Restarts.begin(t)
  const { client } = await world.byHand()
  const seen = outcome(client)
  process.kill(world.agent.process.pid, 'SIGINT')
  assert.equal((await world.agent.process.finished(SOON_MS)).code, 1)
  assert.equal(lastLine(world.agent.process).cut, 1)
  assert.equal(await seen, 'ECONNRESET')
})

test('connect that ends says how many connections it cut', async t => {
  const { site, gateway, connectToken } = await Restarts.begin(t)
  const args = ['connect', '--gateway', gateway.url, '--token-file', connectToken, `127.0.0.1:0:${ECHO}`]
  const connect = site.run('connect', args)
  const [, port] = await connect.until(
    'a port',
    () => /^Forwarding from 127\.0\.0\.1:(\d+) /m.exec(connect.stdout) ?? undefined,
  )
  const clients = [await dial(Number(port)), await dial(Number(port))]
  for (const client of clients) await echoed(client, 'hello')
  const ends = Promise.all(clients.map(outcome))
  await connect.kill('SIGINT')
  assert.deepEqual(await ends, ['ECONNRESET', 'ECONNRESET'])
  assert.equal((await connect.exited).code, 130)
  assert.equal(connect.stderr.trim().split('\n').at(-1), '2 connections cut')
})
