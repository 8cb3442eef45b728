/** "did you mean": a name that was mistyped is compared with what agents publish, wherever its failure is told. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { dial, freePort, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, serviceArgs({ 'echo/test:7': await serveEcho(scope) }))
const token = await site.token({ role: 'connect', allow: ['echo/*:*', 'test/echo:7'] })
const access = ['--gateway', gateway.url, '--token-file', token]
const meant = /^tunnelctl: [A-Z]+ [^\n]*\(did you mean echo\/test:7\? [^\n]+\)\n$/

test('a pipe that reaches nothing says what may have been meant, and ends as before', async () => {
  for (const [typed, exit] of [
    ['echo/tset:7', 4],
    ['test/echo:7', 4],
    ['echa/test:7', 3],
  ] as const) {
    const running = site.run('connect', ['connect', ...access, '--stdio', typed])
    assert.equal((await running.finished()).code, exit, running.describe())
    assert.match(running.stderr, meant)
  }
})

test('whoever is denied by the token is told what it allows', async () => {
  const running = site.run('connect', ['connect', ...access, '--stdio', 'other/prod:9'])
  assert.equal((await running.finished()).code, 3)
  assert.match(
    running.stderr,
    /DENIED the token does not allow other\/prod:9 \(yours allows echo\/\*:\*, test\/echo:7; ask for/,
  )
})

test('a local port says it for each connection, in one line each', async () => {
  const port = await freePort()
  const running = site.run('connect', ['connect', ...access, `127.0.0.1:${port}:echo/tes:7`])
  await running.until('port', () => running.stdout.includes('Forwarding') || undefined)
  for (let n = 1; n <= 2; n++) {
    const socket = await dial(port)
    socket.on('error', () => {})
    await running.until('lines', () => running.stderr.split('\n').length > n || undefined)
    socket.destroy()
  }
  await running.stop('SIGINT')
  for (const line of running.stderr.trimEnd().split('\n').slice(0, 2)) assert.match(`${line}\n`, meant)
})

test('doctor and services say it too', async () => {
  const doctor = site.run('doctor', ['doctor', ...access, 'echo/test:77'])
  await doctor.finished()
  assert.match(doctor.stdout, /✗ agent[^\n]+\n +did you mean echo\/test:7\?/)
  const services = site.run('services', ['services', ...access, '-n', 'tes'])
  await services.finished()
  assert.match(services.stderr, /in namespace "tes" \(did you mean -n test\?\), but 1 in others: see -A\n$/)
})

test('programs get the failure as it happens', async () => {
  const running = site.run('connect', ['connect', ...access, '-o', 'json', '127.0.0.1:0:echo/tes:7'])
  const { local } = await running.event('forwarding')
  const socket = await dial(Number(String(local).split(':').at(-1)))
  socket.on('error', () => {})
  const { hint } = await running.event('error')
  assert.doesNotMatch(String(hint), /did you mean/)
  socket.destroy()
  await running.kill()
})
