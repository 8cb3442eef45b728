/** `connect … -- COMMAND`, Unix sockets and `--ready-file`, with the real program. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { connect as dialPath, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Process } from '../support/processes.ts'
import { realTest, startPostgres } from '../support/servers.ts'
import { echoed, freePort, readAll, serveEcho, within } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const echo = 'echo/test:7'
const services = { [echo]: await serveEcho(scope), 'other/test:8': await serveEcho(scope) }
await site.agent(gateway, serviceArgs(services))
const token = await site.token({ role: 'connect' })

/** `connect`, with everything that it needs but its targets. */
const connect = (...args: string[]): Process =>
  site.run('connect', ['connect', '--gateway', gateway.url, '--token-file', token, ...args])

/** As above, with a command of shell that gets `args` as $1, $2 and so on. */
const beside = (targets: readonly string[], script: string, ...args: string[]): Process =>
  connect(...targets, '--', 'sh', '-c', script, 'sh', ...args)

async function outcome(running: Process): Promise<[code: number | null, stdout: string, stderr: string]> {
  const { code } = await running.finished()
  return [code, running.stdout, running.stderr]
}

test('the command runs when the port is open, gets its address, and its exit code is the one of tunnelctl', async () => {
  const client = `const s = require('node:net').connect(process.argv[2], process.argv[1])
    s.write('hello'); s.on('data', d => { console.log(String(d)); process.exit(7) })`
  const running = connect(`127.0.0.1:0:${echo}`, '--', process.execPath, '-e', client, '{host}', '{port}')
  assert.deepEqual(await outcome(running), [7, 'hello\n', ''])
})

test('several targets are told apart, in arguments and in the environment', async () => {
  const targets = [`127.0.0.1:0:${echo}`, '127.0.0.1:0:other/test:8']
  const script =
    '[ "$1" = "$TUNNELCTL_HOST:$TUNNELCTL_PORT" ] && [ "$2" = "$TUNNELCTL_HOST2:$TUNNELCTL_PORT2" ] && [ "$1" != "$2" ]'
  assert.deepEqual(await outcome(beside(targets, script, '{host}:{port}', '{host2}:{port2}')), [0, '', ''])
})

test('what the command reads and writes is its own, also flags that tunnelctl has', async () => {
  const running = beside([`127.0.0.1:0:${echo}`], 'echo "$@"; echo err >&2', '--help', '--', '-q')
  assert.deepEqual(await outcome(running), [0, '--help -- -q\n', 'err\n'])
})

test('a command that cannot be started, and a placeholder for nothing, are told in one line', async () => {
  const [missing, , said] = await outcome(connect(`127.0.0.1:0:${echo}`, '--', 'no-such-command'))
  assert.equal(missing, 127)
  assert.match(said, /^tunnelctl: COMMAND cannot run "no-such-command": there is no such command \([^\n]+\)\n$/)
  for (const [args, why] of [
    [[echo, '--', 'true', '{port2}'], /"\{port2\}" stands for nothing: there is one target/],
    [[`unix:${join(site.folder, 'x.sock')}:${echo}`, '--', 'true', '{port}'], /a Unix socket has no port/],
    [[echo, '--'], /the command behind -- is empty/],
    [['--stdio', echo, '--', 'true'], /has the terminal, and stdout, for itself/],
    [['-o', 'json', echo, '--', 'true'], /has the terminal, and stdout, for itself/],
  ] as const) {
    const [code, stdout, stderr] = await outcome(connect(...args))
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, why)
  }
})

test('signals go on to the command, and what it makes of them counts', async () => {
  // Not a shell: one that was started with SIGINT ignored, as in the background, cannot trap it.
  const program = `for (const [signal, code] of [['SIGTERM', 5], ['SIGINT', 6], ['SIGHUP', 8]])
      process.on(signal, () => process.exit(code))
    console.log('ready')
    setInterval(() => {}, 1000)`
  for (const [signal, expected] of [
    ['SIGTERM', 5],
    ['SIGINT', 6],
    ['SIGHUP', 8],
  ] as const) {
    const running = connect(`127.0.0.1:0:${echo}`, '--', process.execPath, '-e', program)
    await running.until('ready', () => (running.stdout.includes('ready') ? true : undefined))
    process.kill(running.pid, signal)
    assert.equal((await running.finished()).code, expected, signal)
  }
})

test('a command that a signal has ended counts as in a shell', async () => {
  assert.equal((await beside([`127.0.0.1:0:${echo}`], 'kill -9 $$').finished()).code, 137)
})

test('when the tunnel cannot go on, the command is ended, and the reason is told', async () => {
  const first = await site.gateway()
  await site.agent(
    first,
    serviceArgs(services),
    await site.token({ role: 'agent', agents: ['office'], subject: 'office' }),
  )
  const running = site.run('connect', [
    ...['connect', '--gateway', first.url, '--token-file', await site.token({ role: 'connect', agents: ['office'] })],
    ...[
      `127.0.0.1:0:${echo}`,
      '--',
      'sh',
      '-c',
      'trap "echo ended; exit 0" TERM; echo up; while :; do sleep 0.05; done',
    ],
  ])
  await running.until('up', () => (running.stdout.includes('up') ? true : undefined))
  // Another issuer's gateway takes its place: the token is worth nothing there, and never will be.
  await first.process.kill()
  const stranger = await Site.create(scope)
  await stranger.gateway([], first.address)
  assert.equal((await running.finished()).code, 3, running.describe())
  assert.match(running.stderr, /^tunnelctl: UNAUTHENTICATED /m)
  assert.equal(running.stdout, 'up\nended\n')
})

const over = async (path: string): Promise<Socket> => {
  const socket = dialPath({ path })
  await within(new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)), path)
  return socket
}

test('a Unix socket of this user alone leads to the service, and is gone at the end', async () => {
  const path = join(site.folder, 'echo.sock')
  const running = connect(`unix:${path}:${echo}`)
  await running.until('the socket', () => (running.stdout.includes('Forwarding') ? true : undefined))
  assert.equal(running.stdout, `Forwarding from unix:${path} -> ${echo}\n`)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const socket = await over(path)
  await echoed(socket, 'through the socket')
  socket.end()
  assert.equal((await readAll(socket)).length, 0)
  const taken = await outcome(connect(`unix:${path}:${echo}`))
  assert.equal(taken[0], 1)
  assert.match(taken[2], /PORT_TAKEN cannot listen on .*echo\.sock: the socket is in use/)
  process.kill(running.pid, 'SIGTERM')
  await running.finished()
  assert.equal(existsSync(path), false)
})

test('a connection over a Unix socket that is refused ends alone', async () => {
  const path = join(site.folder, 'refused.sock')
  const running = connect(`unix:${path}:none/test:9`)
  await running.until('the socket', () => (running.stdout.includes('Forwarding') ? true : undefined))
  for (let round = 0; round < 2; round++) {
    const socket = await over(path)
    await within(
      new Promise(resolve =>
        socket
          .on('error', () => {})
          .on('close', resolve)
          .resume(),
      ),
      'its end',
    )
  }
  await running.until('two failures', () => running.stderr.match(/none\/test:9/g)?.[1])
  process.kill(running.pid, 'SIGINT')
  assert.equal((await running.finished()).code, 130, running.describe())
})

test('a socket that a killed process has left is taken over; a file that is no socket is not', async () => {
  const path = join(site.folder, 'left.sock')
  const first = connect(`unix:${path}:${echo}`)
  await first.until('the socket', () => (first.stdout.includes('Forwarding') ? true : undefined))
  await first.kill('SIGKILL')
  assert.equal(existsSync(path), true)
  const second = connect(`unix:${path}:${echo}`)
  await second.until('the socket', () => (second.stdout.includes('Forwarding') ? true : undefined))
  await echoed(await over(path), 'again')
  const file = site.file('precious.txt', 'precious')
  const refused = await outcome(connect(`unix:${file}:${echo}`))
  assert.equal(refused[0], 1)
  assert.equal(readFileSync(file, 'utf8'), 'precious')
})

test('a ready file appears when all is open, says where, and goes with the process', async () => {
  const file = join(site.folder, 'ready')
  const running = connect('--ready-file', file, `127.0.0.1:0:${echo}`, '127.0.0.1:0:other/test:8')
  while (!existsSync(file)) await new Promise(resolve => setTimeout(resolve, 10))
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  assert.deepEqual(
    lines.map(line => line.replace(/:\d+ /, ':PORT ')),
    [`127.0.0.1:PORT ${echo}`, '127.0.0.1:PORT other/test:8'],
  )
  process.kill(running.pid, 'SIGTERM')
  await running.finished()
  assert.equal(existsSync(file), false)
  const [code, , stderr] = await outcome(connect('--ready-file', join(site.folder, 'no/such'), `127.0.0.1:0:${echo}`))
  assert.equal(code, 2)
  assert.match(stderr, /cannot write the ready file .*no such file or directory/)
})

realTest(
  'psql behind -- reaches PostgreSQL',
  { programs: ['postgres', 'initdb', 'psql'], packages: 'postgresql' },
  async t => {
    const port = await freePort()
    await startPostgres(t, port)
    const home = await site.token({ role: 'agent', agents: ['db-home'], subject: 'db' })
    await site.agent(gateway, ['--service', `db/prod:5432=127.0.0.1:${port}`], home)
    const both = await site.token({ role: 'connect', agents: ['db-home'] })
    const running = site.run('connect', [
      ...['connect', '--gateway', gateway.url, '--token-file', both, '127.0.0.1:0:db/prod:5432'],
      ...['--', 'psql', '-h', '{host}', '-p', '{port}', '-U', 'postgres', '-XAtc', 'select 6 * 7'],
    ])
    assert.deepEqual(await outcome(running), [0, '42\n', ''])
  },
)
