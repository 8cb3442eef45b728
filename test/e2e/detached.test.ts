/** `connect --detach`, `ps`, `stop`, `logs`. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { eventually, type Process } from '../support/processes.ts'
import { dial, echoed, freePort, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, serviceArgs({ 'echo/test:7': await serveEcho(scope) }))
const env = {
  TUNNELCTL_GATEWAY: gateway.url,
  TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }),
  XDG_STATE_HOME: join(site.folder, 'state'),
}
const notes = join(env.XDG_STATE_HOME, 'tunnelctl/detached')

const tunnelctl = (...args: string[]): Process => site.run(args[0] ?? '', args, { env })

async function outcome(...args: string[]): Promise<[code: number | null, stdout: string, stderr: string]> {
  const running = tunnelctl(...args)
  const { code } = await running.finished()
  return [code, running.stdout, running.stderr]
}

after(async () => void (await outcome('stop', '--all')))

async function detach(port: number): Promise<{ name: string; pid: number }> {
  const [code, stdout, stderr] = await outcome('connect', '--detach', `127.0.0.1:${port}:echo/test:7`)
  assert.equal(code, 0, stderr)
  assert.equal(stdout, `Forwarding from 127.0.0.1:${port} -> echo/test:7\n`)
  const [, name = '', pid] = /^detached as (\S+) \(pid (\d+)\); it ends with: tunnelctl stop \1\n$/.exec(stderr) ?? []
  return { name, pid: Number(pid) }
}

test('it goes on after the command has ended, is listed, and ends when it is told to', async () => {
  const [one, other] = [await freePort(), await freePort()]
  const first = await detach(one)
  const second = await detach(other)
  assert.deepEqual([first.name, second.name], ['echo-test-7', 'echo-test-7-2'])
  await echoed(await dial(one), 'detached')
  const [, table] = await outcome('ps')
  assert.match(
    table,
    new RegExp(
      `^NAME +PID +UP +FORWARDS\\necho-test-7 +${first.pid} +\\d+ s +127\\.0\\.0\\.1:${one} -> echo/test:7\\n`,
    ),
  )
  assert.equal((await outcome('ps', '-o', 'name'))[1], 'echo-test-7\necho-test-7-2\n')

  assert.deepEqual(await outcome('stop', first.name), [0, '', 'echo-test-7 has ended\n'])
  assert.equal((await outcome('ps', '-o', 'name'))[1], 'echo-test-7-2\n')
  await echoed(await dial(other), 'the other one')
  assert.match((await outcome('logs', first.name))[1], /^Forwarding from /)
  assert.equal((await outcome('stop', '--all'))[0], 0)
  assert.deepEqual(await outcome('ps'), [0, '', 'nothing runs detached\n'])
})

test('what goes wrong before all is open is the failure of the command, and nothing stays', async () => {
  const port = await freePort()
  const { name } = await detach(port)
  const taken = await outcome('connect', '--detach', `127.0.0.1:${port}:echo/test:7`)
  assert.equal(taken[0], 1)
  assert.match(taken[2], /^tunnelctl: PORT_TAKEN cannot listen on 127\.0\.0\.1:\d+: the port is taken \(choose another/)
  const unreachable = await outcome('connect', '--detach', '--gateway', 'ws://127.0.0.1:9', 'echo/test:7')
  assert.equal(unreachable[0], 4)
  assert.match(unreachable[2], /^tunnelctl: GATEWAY_UNREACHABLE /)
  for (const flags of [['--stdio'], ['-o', 'json'], ['--token-file', '-'], ['--ready-file', 'x']]) {
    assert.equal((await outcome('connect', '--detach', ...flags, 'echo/test:7'))[0], 2, flags.join(' '))
  }
  assert.equal((await outcome('ps', '-o', 'name'))[1], `${name}\n`)
  assert.equal((await outcome('stop', name))[0], 0)
})

test('one that was killed is not listed any more; a number that is somebody else now is left alone', async () => {
  const { name, pid } = await detach(await freePort())
  process.kill(pid, 'SIGKILL')
  let listed: unknown
  await eventually(
    async () => {
      const [code, stdout] = await outcome('ps', '-o', 'name')
      listed = [code, stdout]
      return isDeepStrictEqual(listed, [0, ''])
    },
    () => `ps: ${JSON.stringify(listed)}`,
  )
  assert.ok(!readdirSync(notes).includes(`${name}.json`))
  // This very process has the number, and was not born then.
  mkdirSync(notes, { recursive: true })
  const note = { name: 'reborn', pid: process.pid, born: '1', startedAt: 1, forwards: ['a b'], log: '' }
  writeFileSync(join(notes, 'reborn.json'), JSON.stringify(note))
  writeFileSync(join(notes, 'broken.json'), '{')
  assert.equal((await outcome('stop', '--all'))[0], 0)
  assert.equal((await outcome('ps', '-o', 'name'))[1], '')
})

test('names that are none of ours are told, and lead nowhere', async () => {
  for (const name of ['nobody', '../../issuer', '..', '']) {
    for (const command of ['stop', 'logs']) {
      const [code, stdout, stderr] = await outcome(command, name)
      assert.deepEqual([code, stdout], [2, ''], `${command} ${name}`)
      assert.match(stderr, /no detached connect is called .* \(none runs\)/)
    }
  }
  assert.equal((await outcome('stop'))[0], 2)
})
