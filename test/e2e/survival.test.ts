/** Transfers under way outlive whatever dies between the two ends: nothing is lost, nothing doubled, nothing left over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../sim/random.ts'
import type { Process } from '../support/processes.ts'
import { realTest, run, start, startPostgres } from '../support/servers.ts'
import { freePort, within } from '../support/sockets.ts'
import type { Cut, ToxicRelay, Toxics } from '../support/toxics.ts'
import { Trial } from '../support/trial.ts'

const MiB = 1024 * 1024

test('D95: 512 MiB each way arrive whole while the gateway is killed and started again every 2 s, ten times', async t => {
  const trial = await Trial.start(t)
  const exchange = await trial.exchange(512 * MiB)
  const kills = 10
  for (let kill = 0; kill < kills; kill++) {
    const next = sleep(2_000)
    // A share goes at full speed, and the gateway dies in the midst of it.
    exchange.allow((kill + 1) / (kills + 1))
    await exchange.reach((kill + 0.2) / (kills + 1))
    await trial.killGateway()
    await trial.startGateway()
    await next
  }
  exchange.allow(1)
  await exchange.whole()
  await trial.survived()
})

/** What a network may be like; each carrier has one of its own at a time. */
const networks: readonly Toxics[] = [
  {},
  { latencyMs: 5, jitterMs: 10 },
  { sliceBytes: 1_500 },
  { latencyMs: 1, jitterMs: 2, sliceBytes: 40_000 },
  { bytesPerSecond: 24 * MiB },
]

test('96 MiB each way arrive whole over networks that delay, slice, throttle, swallow, end and reset', async t => {
  const trial = await Trial.start(t, { toxic: 7 })
  const { connect, agent } = trial.relays
  const random = new Random(7)
  const exchange = await trial.exchange(96 * MiB)
  const cut = (relay: ToxicRelay, how: Cut['how'], direction: Cut['direction']) => async () => {
    const since = trial.now
    // Less than what is let go in each direction at a time: it strikes for certain.
    await within(relay.cut({ how, direction, afterBytes: random.below(8 * MiB) }), 'cut')
    await trial.resumed(since)
  }
  const troubles: readonly (() => Promise<unknown>)[] = [
    cut(connect, 'reset', 'up'),
    cut(agent, 'reset', 'down'),
    cut(connect, 'limit', 'down'),
    cut(agent, 'limit', 'up'),
    cut(connect, 'reset', 'down'),
    cut(agent, 'reset', 'up'),
    () => Promise.all([cut(connect, 'reset', 'down')(), cut(agent, 'reset', 'down')()]),
    async () => {
      await exchange.reach(0.75)
      for (const relay of [connect, agent]) relay.blackHole({ newToo: true })
      await sleep(1_500)
      for (const relay of [connect, agent]) relay.heal()
    },
    async () => connect.set({ bytesPerSecond: 4 * MiB }),
  ]
  for (const [index, trouble] of troubles.entries()) {
    await exchange.reach(index / 10)
    for (const relay of [connect, agent]) relay.set(random.pick(networks))
    exchange.allow((index + 1) / 10)
    await trouble()
  }
  await exchange.reach(troubles.length / 10)
  for (const relay of [connect, agent]) relay.set({})
  exchange.allow(1)
  await exchange.whole()
  await trial.survived()
})

const postgres = { programs: ['postgres', 'initdb', 'psql', 'pgbench'], packages: 'postgresql postgresql-contrib' }
realTest(
  'pgbench runs through three restarts of the gateway, and no transaction is lost or doubled',
  postgres,
  async t => {
    const server = await freePort()
    await startPostgres(t, server)
    const trial = await Trial.start(t, { services: { 'db/prod:5432': server } })
    const at = ['-h', '127.0.0.1', '-p', String(trial.port('db/prod:5432')), '-U', 'postgres']
    await run(t, 'pgbench', [...at, '-i', '-q', 'postgres'])
    const bench = start(t, 'pgbench', [...at, '-c', '4', '-T', '12', '-P', '1', 'postgres'])
    for (let restart = 0; restart < 3; restart++) {
      await busy(bench)
      await trial.restartGateway()
    }
    await busy(bench)
    assert.equal((await bench.finished()).code, 0, bench.describe())
    const count = (what: string) =>
      Number(new RegExp(`number of ${what}: (\\d+)`).exec(bench.stdout)?.[1] ?? Number.NaN)
    assert.equal(count('failed transactions'), 0, bench.describe())
    assert.doesNotMatch(bench.stderr, /error|aborted/i)
    const { stdout } = await run(t, 'psql', [...at, '-XAtc', 'select count(*) from pgbench_history'])
    assert.equal(Number(stdout), count('transactions actually processed'))
    await trial.survived()
  },
)

/** Resolves when transactions have been done in a second that begins after the one that is under way. */
async function busy(bench: Process): Promise<void> {
  const seconds = () => [...bench.stderr.matchAll(/^progress: [\d.]+ s, ([\d.]+) tps/gm)].map(([, tps]) => Number(tps))
  const before = seconds().length + 1
  await bench.until('progress', () =>
    seconds()
      .slice(before)
      .some(tps => tps > 0)
      ? true
      : undefined,
  )
}
