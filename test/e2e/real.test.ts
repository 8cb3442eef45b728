/** The real programs that people use, through real processes. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { eventually, tunnelctlCommand } from '../support/processes.ts'
import { realTest, run, startIperf, startNginx, startPostgres, startRedis, startSshd } from '../support/servers.ts'
import { freePort } from '../support/sockets.ts'
import { metricsOf, startTunnel } from '../support/tunnel.ts'

const GiB = 1024 ** 3
const MiB = 1024 ** 2

const ports = {
  'db/prod:5432': await freePort(),
  'cache/prod:6379': await freePort(),
  'iperf/prod:5201': await freePort(),
  'ssh/prod:22': await freePort(),
  'web/prod:80': await freePort(),
}
const tunnel = await startTunnel({ after }, { services: ports })
const at = (target: keyof typeof ports) => ['-h', '127.0.0.1', '-p', String(tunnel.port(target))]

const postgres = { programs: ['postgres', 'initdb', 'psql', 'pgbench'], packages: 'postgresql postgresql-contrib' }
realTest('PostgreSQL: psql asks and is answered, and pgbench runs 8 clients without an error', postgres, async t => {
  await startPostgres(t, ports['db/prod:5432'])
  const psql = async (sql: string) =>
    (await run(t, 'psql', [...at('db/prod:5432'), '-U', 'postgres', '-XAtc', sql])).stdout.trim()
  for (let round = 0; round < 5; round++) assert.equal(await psql(`select ${round} + 1`), String(round + 1))
  const rows = (await psql('select i, md5(i::text) from generate_series(1, 100000) as i')).split('\n')
  assert.equal(rows.length, 100_000)
  for (const [index, row] of rows.entries()) {
    const md5 = createHash('md5')
      .update(String(index + 1))
      .digest('hex')
    if (row !== `${index + 1}|${md5}`) assert.fail(`row ${index + 1} is ${row}`)
  }
  const bench = [...at('db/prod:5432'), '-U', 'postgres']
  await run(t, 'pgbench', [...bench, '-i', '-q', 'postgres'])
  const { stdout } = await run(t, 'pgbench', [...bench, '-c', '8', '-T', '5', 'postgres'])
  const [, failed] = /number of failed transactions: (\d+)/.exec(stdout) ?? []
  const [, done] = /number of transactions actually processed: (\d+)/.exec(stdout) ?? []
  assert.equal(failed, '0', stdout)
  assert.ok(Number(done) > 0, stdout)
})

const redis = { programs: ['redis-server', 'redis-cli', 'redis-benchmark'], packages: 'redis-server redis-tools' }
realTest('Redis: values come back as they were set, and redis-benchmark runs 50 clients', redis, async t => {
  await startRedis(t, ports['cache/prod:6379'])
  const cli = async (...args: string[]) =>
    (await run(t, 'redis-cli', [...at('cache/prod:6379'), ...args])).stdout.trim()
  assert.equal(await cli('set', 'greeting', 'hello'), 'OK')
  assert.equal(await cli('get', 'greeting'), 'hello')
  const args = [...at('cache/prod:6379'), '-c', '50', '-n', '20000', '--csv', '-t', 'set,get,lrange_100']
  const { stdout, stderr } = await run(t, 'redis-benchmark', args)
  const lines = stdout.trim().split('\n').slice(1)
  assert.ok(lines.length >= 3, stdout)
  for (const line of lines) assert.ok(Number(line.split(',')[1]?.replaceAll('"', '')) > 0, line)
  assert.doesNotMatch(stdout + stderr, /error/i)
  const commands = /^total_commands_processed:(\d+)/m.exec(await cli('info', 'stats'))
  assert.ok(Number(commands?.[1]) >= lines.length * 20_000)
})

realTest('iperf3: 1 GiB goes each way', { programs: ['iperf3'], packages: 'iperf3' }, async t => {
  await startIperf(t, ports['iperf/prod:5201'])
  for (const reverse of [[], ['-R']]) {
    const args = ['-c', '127.0.0.1', '-p', String(tunnel.port('iperf/prod:5201')), '-n', '1G', '-J', ...reverse]
    const { stdout } = await run(t, 'iperf3', args)
    const { end, error } = JSON.parse(stdout) as {
      error?: string
      end: { sum_sent: { bytes: number }; sum_received: { bytes: number } }
    }
    assert.equal(error, undefined)
    assert.ok(end.sum_sent.bytes >= GiB, stdout)
    // What is still under way when the sender has sent its last byte is not counted any more by iperf3.
    assert.ok(end.sum_received.bytes > GiB - 64 * MiB, stdout)
  }
})

realTest(
  'nginx: pages, ranges and 200 requests at a time',
  { programs: ['nginx'], packages: 'nginx-light' },
  async t => {
    const folder = await startNginx(t, ports['web/prod:80'])
    const page = randomBytes(8 * MiB)
    writeFileSync(join(folder, 'page'), page)
    writeFileSync(join(folder, 'small'), 'small')
    const url = `http://127.0.0.1:${tunnel.port('web/prod:80')}`
    const body = async (path: string, headers = {}) =>
      Buffer.from(await (await fetch(`${url}${path}`, { headers })).arrayBuffer())
    assert.ok((await body('/page')).equals(page))
    assert.ok((await body('/page', { range: 'bytes=1000000-1999999' })).equals(page.subarray(1_000_000, 2_000_000)))
    assert.equal((await fetch(`${url}/none`)).status, 404)
    const answers = await Promise.all(Array.from({ length: 200 }, () => body('/small')))
    assert.ok(answers.every(answer => answer.toString() === 'small'))
  },
)

const ssh = { programs: ['sshd', 'ssh', 'scp', 'ssh-keygen'], packages: 'openssh-server openssh-client' }
realTest('ssh over --stdio runs a command and copies a file of 50 MiB', ssh, async t => {
  const { folder, options, user, host } = await startSshd(t, ports['ssh/prod:22'])
  const tokenFile = await tunnel.site.token({ role: 'connect' })
  const proxy = [...tunnelctlCommand, 'connect', '--gateway', tunnel.gateway.url, '--token-file', tokenFile]
  const proxied = [...options, '-o', `ProxyCommand=${[...proxy, '--stdio', 'ssh/prod:22'].join(' ')}`]
  const { stdout } = await run(t, 'ssh', [...proxied, `${user}@${host}`, 'echo $((6 * 7)); echo to stderr >&2'])
  assert.equal(stdout, '42\n')

  const bytes = randomBytes(50 * MiB)
  writeFileSync(join(folder, 'original'), bytes)
  await run(t, 'scp', [...proxied, '-q', join(folder, 'original'), `${user}@${host}:${join(folder, 'there')}`])
  await run(t, 'scp', [...proxied, '-q', `${user}@${host}:${join(folder, 'there')}`, join(folder, 'back')])
  const sha256 = (file: Buffer) => createHash('sha256').update(file).digest('hex')
  assert.equal(sha256(readFileSync(join(folder, 'there'))), sha256(bytes))
  assert.equal(sha256(readFileSync(join(folder, 'back'))), sha256(bytes))

  // ssh ends its ProxyCommand by SIGHUP: the sessions must end with it, and not wait for a resume.
  const left = async () => (await metricsOf(tunnel.agent)).get('sessions')
  await eventually(
    async () => (await left()) === 1,
    async () => `${await left()} sessions are left at the agent`,
  )
})
