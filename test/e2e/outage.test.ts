/** Outages that last, side by side, for nearly all of their time is waiting. Connections go on as if nothing had been. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../sim/random.ts'
import { realTest, run, start, startPostgres, startRedis } from '../support/servers.ts'
import { dial, echoed, freePort, outcome, within } from '../support/sockets.ts'
import { Trial } from '../support/trial.ts'

const MiB = 1024 * 1024

describe('outages', { concurrency: true }, () => {
  test('a transfer and an idle connection go on after the gateway has stood still for 60 s', async t => {
    const trial = await Trial.start(t)
    const idle = await dial(trial.port('echo/test:7'))
    await echoed(idle, 'before')
    const exchange = await trial.exchange(128 * MiB)
    exchange.allow(0.5)
    await exchange.reach(0.2)
    trial.signalGateway('SIGSTOP')
    exchange.allow(1)
    await sleep(55_000)
    // It is accepted, and waits like the others.
    const late = await dial(trial.port('echo/test:7'))
    const lateEcho = echoed(late, 'into the outage')
    await sleep(5_000)
    trial.signalGateway('SIGCONT')
    await Promise.all([exchange.whole(), lateEcho, echoed(idle, 'after')])
    for (const client of [idle, late]) {
      client.end()
      assert.equal(await outcome(client), 'in order')
    }
    await trial.survived()
  })

  test('a carrier that a black hole has swallowed is replaced within seconds, at either end and at both', async t => {
    const trial = await Trial.start(t, { toxic: 3 })
    const { connect, agent } = trial.relays
    const exchange = await trial.exchange(48 * MiB)
    for (const [index, swallowing] of [[connect], [agent], [connect, agent]].entries()) {
      for (const relay of [connect, agent]) relay.set({ latencyMs: 2, jitterMs: 2, bytesPerSecond: 24 * MiB })
      exchange.allow((index + 1) / 3)
      await exchange.reach((index + 0.2) / 3)
      const since = trial.now
      for (const relay of swallowing) relay.blackHole({ newToo: false })
      // max(4 s, 6 round trips) until the stall is seen, and then again at the other end, which may see it later.
      await trial.resumed(since, 15_000)
      await exchange.reach((index + 1) / 3)
      // What was swallowed comes out late, over carriers that were superseded.
      for (const relay of swallowing) relay.heal()
    }
    await exchange.whole()
    await trial.survived()
  })

  const redis = { programs: ['redis-server', 'redis-cli', 'redis-benchmark'], packages: 'redis-server redis-tools' }
  realTest('redis-benchmark counts to the number it should while a WebSocket is cut every 5 s', redis, async t => {
    const server = await freePort()
    await startRedis(t, server)
    const trial = await Trial.start(t, { services: { 'cache/prod:6379': server }, toxic: 5 })
    const { connect, agent } = trial.relays
    // A link of some length, which also leaves the machine to the other tests.
    for (const relay of [connect, agent]) relay.set({ latencyMs: 4, jitterMs: 4 })
    const at = ['-h', '127.0.0.1', '-p', String(trial.port('cache/prod:6379'))]
    let [cutting, expected] = [true, 0]
    const counting = async () => {
      while (cutting) {
        const { stdout, stderr } = await run(t, 'redis-benchmark', [...at, '-c', '50', '-n', '5000', 'incr', 'counter'])
        assert.doesNotMatch(stdout + stderr, /error/i)
        expected += 5_000
      }
    }
    const cuts = async () => {
      const random = new Random(5)
      for (let cut = 0; cut < 12; cut++) {
        const next = sleep(5_000)
        const since = trial.now
        const relay = [connect, agent][cut % 2] ?? connect
        const [how, direction] = [random.pick(['reset', 'limit'] as const), random.pick(['up', 'down'] as const)]
        await within(relay.cut({ how, direction, afterBytes: random.below(20_000) }), 'cut')
        await trial.resumed(since)
        await next
      }
      cutting = false
    }
    await Promise.all([counting(), cuts()])
    const { stdout } = await run(t, 'redis-cli', [...at, 'get', 'counter'])
    assert.equal(Number(stdout), expected)
    await trial.survived()
  })

  const postgres = { programs: ['postgres', 'initdb', 'psql'], packages: 'postgresql' }
  realTest('an idle psql answers in the same transaction after 20 s without a gateway', postgres, async t => {
    const server = await freePort()
    await startPostgres(t, server)
    const trial = await Trial.start(t, { services: { 'db/prod:5432': server } })
    const psql = start(
      t,
      'psql',
      ['-h', '127.0.0.1', '-p', String(trial.port('db/prod:5432')), '-U', 'postgres', '-XAt', 'postgres'],
      { stdin: 'pipe' },
    )
    const ask = async (sql: string): Promise<string> => {
      const from = psql.stdout.length
      psql.stdin.write(`${sql};\n\\echo answered\n`)
      await psql.until('answer', () => (psql.stdout.endsWith('answered\n') && psql.stdout.length > from) || undefined)
      return psql.stdout.slice(from, -'answered\n'.length).trim()
    }
    await ask('begin; create temp table kept as select 42 as answer')
    const who = 'select answer, pg_backend_pid(), txid_current() from kept'
    const before = await ask(who)
    assert.match(before, /^42\|\d+\|\d+$/)
    await trial.killGateway()
    await sleep(20_000)
    await trial.startGateway()
    assert.equal(await ask(who), before)
    assert.match(await ask('commit'), /COMMIT/)
    psql.stdin.end()
    assert.equal((await psql.finished()).code, 0, psql.describe())
    await trial.survived()
  })
})
