/** The session goes from carrier to carrier, and from gateway to gateway, because somebody asks for it; and two agents of one name. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually, tunnelctlCommand } from '../support/processes.ts'
import { ECHO, Restarts, saidSince } from '../support/restarts.ts'
import { realTest, start } from '../support/servers.ts'
import { dial, echoed, freePort, outcome, serve } from '../support/sockets.ts'
import { type Connect, Site } from '../support/tunnel.ts'

const hangUp = ({ process: { pid } }: Connect): void => void process.kill(pid, 'SIGHUP')

test('SIGHUP at connect: it goes over to another carrier, and its connections go on', async t => {
  const world = await Restarts.begin(t)
  const { connect, gateway } = world
  const client = await world.echo()
  const since = connect.events.length
  for (const index of [0, 1, 2]) {
    const before = connect.events.length
    hangUp(connect)
    assert.equal((await connect.process.event('moved', undefined, before)).reason, 'asked')
    await echoed(client, `after ${index + 1}`)
  }
  assert.deepEqual(saidSince(connect, since), ['moved', 'moved', 'moved'])
  const { events } = gateway.process
  const left = () => events.filter(({ event, role }) => event === 'disconnected' && role === 'connect').length
  await eventually(
    () => left() === 3,
    () => `${left()} of 3 carriers were left`,
  )
})

/** Above the jump of the time of day that counts as a sleep, with the second between two looks. */
const SLEEP_MS = 6_500

test('a connect that stood still, as in a sleep, goes over to another carrier when it wakes', async t => {
  const world = await Restarts.begin(t)
  const { connect } = world
  const client = await world.echo()
  const since = connect.events.length
  process.kill(connect.process.pid, 'SIGSTOP')
  client.write('written in its sleep')
  await pause(SLEEP_MS)
  process.kill(connect.process.pid, 'SIGCONT')
  assert.equal((await connect.process.event('moved', undefined, since)).reason, 'sleep')
  assert.equal(String((await once(client, 'data'))[0]), 'written in its sleep')
  await echoed(client, 'awake')
})

test('SIGHUP while the gateway is away, and again: nothing breaks, and all is well when it is back', async t => {
  const world = await Restarts.begin(t)
  const { connect } = world
  const client = await world.echo()
  const since = connect.events.length
  await world.gateway.process.kill()
  await connect.process.event('disconnected', undefined, since)
  hangUp(connect)
  await world.startGateway()
  hangUp(connect)
  await connect.process.event('resumed', undefined, since)
  await echoed(client, 'after')
  const bad = saidSince(connect, since).filter(name => !['disconnected', 'resumed', 'moved'].includes(name))
  assert.deepEqual(bad, [])
})

test('SIGHUP when there is no other carrier to be had: one line says why, and everything stays as it was', async t => {
  const world = await Restarts.begin(t)
  const { connect, site } = world
  const client = await world.echo()
  const since = connect.events.length
  const good = await site.tokenText({ role: 'connect' })
  site.file('2.token', await site.tokenText({ role: 'connect', ttlMs: 60_000, now: Date.now() - 3_600_000 }))
  hangUp(connect)
  const { code, message } = await connect.process.event('error', undefined, since)
  assert.equal(code, 'UNAUTHENTICATED')
  assert.match(String(message), /^not moved, the connection stays as it is: /)
  await echoed(client, 'as it was')
  site.file('2.token', good)
  hangUp(connect)
  await connect.process.event('moved', undefined, since)
  await echoed(client, 'and moved')
  assert.deepEqual(saidSince(connect, since), ['error', 'moved'])
})

for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends a pipe, and nothing is said`, async t => {
    const world = await Restarts.begin(t)
    const args = ['connect', '--gateway', world.gateway.url, '--token-file', world.connectToken, '--stdio', ECHO]
    const pipe = world.site.run('pipe', args, { stdin: 'pipe' })
    pipe.stdin.write('through')
    await pipe.until('echo', () => (pipe.stdout === 'through' ? true : undefined))
    process.kill(pipe.pid, signal)
    assert.deepEqual(await pipe.finished(), { code: 130, signal: null })
    assert.deepEqual([pipe.stdout, pipe.stderr], ['through', ''])
  })
}

realTest('connect ends with its terminal', { programs: ['script'], packages: 'bsdutils' }, async t => {
  const world = await Restarts.begin(t)
  const port = await freePort()
  const line = [
    ...tunnelctlCommand,
    ...['connect', '--gateway', world.gateway.url, '--token-file', world.connectToken, `${port}:${ECHO}`],
  ].join(' ')
  // Without CI in its environment, so that the terminal is used as one.
  const terminal = start(t, 'script', ['-qefc', `exec ${line}`, '/dev/null'])
  await terminal.until('listener', () => (terminal.stdout.includes('Forwarding from') ? true : undefined))
  await echoed(await dial(port), 'through')
  await terminal.kill()
  await eventually(
    () => refuses(port),
    () => 'connect still listens, without a terminal',
  )
})

async function refuses(port: number): Promise<boolean> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return false
  } catch {
    return true
  } finally {
    socket.destroy()
  }
}

/** Sends to an echo until `done`. Not all of the processor is for it. */
async function echoUntil(client: Socket, done: () => boolean): Promise<void> {
  for (let turn = 0; !done(); turn++) {
    await echoed(client, `turn ${turn}`)
    await pause(5)
  }
}

test('connect --redial-every: the carrier is replaced again and again, under an echo that never fails', async t => {
  const world = await Restarts.begin(t, { connectArgs: ['--redial-every', '1s'] })
  const { connect } = world
  const client = await world.echo()
  const since = connect.events.length
  await echoUntil(client, () => saidSince(connect, since).length >= 3)
  assert.deepEqual(saidSince(connect, since), ['moved', 'moved', 'moved'])
  assert.ok(connect.events.every(({ event, reason }) => event !== 'moved' || reason === 'schedule'))
})

test('agent --redial-every: the sessions are resumed over each new carrier, under an echo that never fails', async t => {
  const world = await Restarts.begin(t, { agentArgs: ['--redial-every', '1s'] })
  const { connect, agent } = world
  const client = await world.echo()
  const renewals = () =>
    agent.process.events.filter(({ event, reason }) => event === 'registered' && reason === 'schedule')
  await echoUntil(client, () => renewals().length >= 2)
  await echoed(client, 'after')
  assert.deepEqual(
    saidSince(connect, 0).filter(name => ['close', 'error'].includes(name)),
    [],
  )
})

/** A service that says which agent it belongs to, and then echoes. */
const WHO = 'who/test:1'

test('two agents of one name: the newer gets new sessions, each keeps its own, and one is enough', async t => {
  const site = await Site.create(t)
  const at = `127.0.0.1:${await freePort()}`
  let gateway = await site.gateway([], at)
  const token = await site.token({ role: 'agent' })
  const agentCalled = async (name: string) => {
    const port = await serve(t, socket => {
      socket.write(`${name}.`)
      socket.pipe(socket)
    })
    return await site.agent(gateway, ['--service', `${WHO}=127.0.0.1:${port}`], token)
  }
  const connectTo = async (name: string) => {
    const connect = await site.connect(gateway, [WHO])
    const client = await dial(connect.port(WHO))
    client.write('!')
    await once(client, 'readable')
    const greeting: Buffer = client.read()
    assert.equal(greeting.toString().split('.')[0], name)
    if (!greeting.includes('!')) await once(client, 'readable').then(() => client.read())
    return { connect, client }
  }

  const older = await agentCalled('older')
  const first = await connectTo('older')
  const newer = await agentCalled('newer')
  const told = await older.process.event('superseded')
  assert.equal(told.by, newer.process.events.find(({ event }) => event === 'registered')?.instance)
  const second = await connectTo('newer')
  await echoed(first.client, 'still at the older')
  assert.deepEqual(saidSince(first.connect, 0), ['connected', 'forwarding', 'open'])

  await gateway.process.kill()
  await Promise.all([first, second].map(({ connect }) => connect.process.event('disconnected')))
  gateway = await site.gateway([], at)
  await Promise.all([first, second].map(({ connect }) => connect.process.event('resumed')))
  await echoed(first.client, 'the older has its session')
  await echoed(second.client, 'and the newer its own')
  for (const { connect } of [first, second]) assert.ok(!saidSince(connect, 0).includes('close'))

  const cut = outcome(second.client)
  await newer.process.kill()
  const third = await connectTo('older')
  assert.equal(await cut, 'ECONNRESET')
  await echoed(first.client, 'and the older never noticed')
  third.client.end()
})
