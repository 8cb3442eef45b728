/** The programs with a prototype that nobody can write to, and without the way to it: what pollutes it, or counts on that, fails. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ask, hostFor, portOf, serveHttp } from '../support/ingress.ts'
import { dial, echoed, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const preload = fileURLToPath(new URL('../support/frozen.js', import.meta.url))
const site = await Site.create(scope, { NODE_OPTIONS: `--disable-proto=throw --import=${preload}` })
const web = await serveHttp(scope, (request, response) => response.end(request.headers['x-forwarded-host']))
const services = { 'echo/prod:7': await serveEcho(scope), 'web/prod:80': web.port }
const routes = site.file('routes.yaml', 'routes:\n  - { host: a.test, target: web/prod:80, access: public }\n')
const revoked = site.file('revoked.yaml', 'tokens: [gone]\n')
const args = ['--ingress-domain', 'in.test', '--routes', routes, '--revoked', revoked]

test('everything works, from the first command to a resume', async () => {
  const gateway = await site.gateway(args)
  const agent = await site.agent(gateway, serviceArgs(services))
  const tokenFile = await site.token({ role: 'connect' })
  const connect = await site.connect(gateway, ['echo/prod:7'], { tokenFile })
  const socket = await dial(connect.port('echo/prod:7'))
  await echoed(socket, 'before')
  await gateway.process.kill()
  const again = await site.gateway(args, gateway.address)
  await echoed(socket, 'and after a resume')
  const headers = { host: 'a.test' }
  assert.equal((await ask(portOf(again), { target: 'web/prod:80', headers })).body.toString(), 'a.test')
  const refused = await ask(portOf(again), { target: 'web/prod:80', headers: { host: hostFor('web/prod:80') } })
  assert.equal(refused.status, 407)
  const run = async (...words: string[]) => {
    const command = site.run('command', [...words, '--gateway', gateway.url, '--token-file', tokenFile])
    assert.equal((await command.exited).code, 0, command.stderr)
    return command.stdout
  }
  assert.match(await run('services', '-o', 'json'), /"echo"/)
  assert.match(await run('doctor', 'echo/prod:7'), /./)
  const metrics = await fetch(`${agent.admin}/metrics`)
  assert.match(await metrics.text(), /^tunnelctl_streams_total [1-9]/m)
  socket.destroy()
  for (const { process } of [again, agent, connect]) {
    assert.doesNotMatch(process.stderr, /TypeError|read only|INTERNAL/)
    await process.kill('SIGTERM')
  }
})

test('what one command line makes works too: keys, tokens, manifests', async () => {
  const at = (name: string) => `${site.folder}/${name}`
  for (const words of [
    ['token', 'keygen', '--out', at('k')],
    [
      'token',
      'create',
      '--key',
      at('k'),
      '--role',
      'connect',
      '--subject',
      'a',
      '--agent',
      'b',
      '--allow',
      '*/*:*',
      '--ttl',
      '1h',
    ],
    ['manifests', 'agent', '--gateway', 'wss://gateway.example.com'],
    ['completion', 'bash'],
    ['connect', '--help'],
  ]) {
    const command = site.run('command', words)
    assert.equal((await command.exited).code, 0, command.stderr)
  }
})
