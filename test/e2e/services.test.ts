/** `services` and `agents`: what agents publish reaches those who may see it, and nobody else. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Process } from '../support/processes.ts'
import { within } from '../support/sockets.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const home = await site.agent(gateway, [
  ...['--service', 'db/prod:5432=127.0.0.1:1', '--service', 'db/prod:metrics=127.0.0.1:2'],
  ...['--service', 'web/dev:80=127.0.0.1:3', '--service', 'dns/prod:53/udp=127.0.0.1:4'],
])
const office = await site.token({ role: 'agent', agents: ['office'], subject: 'office' })
await site.agent(gateway, ['--service', 'wiki/intranet:80=127.0.0.1:5'], office)
const both = await site.token({ role: 'connect', agents: ['*'], allow: ['*/*:*', '*/*:*/udp'] })
const narrow = await site.token({ role: 'connect', agents: ['home'], allow: ['db/prod:5432'] })

const ask = (command: string, token: string, ...args: string[]): Process =>
  site.run(command, [command, '--gateway', gateway.url, '--token-file', token, ...args])

async function answered(running: Process): Promise<string> {
  const { code } = await running.finished()
  assert.equal(code, 0, running.describe())
  return running.stdout
}

test('services are listed by agent and namespace, as kubectl would', async () => {
  assert.equal(
    await answered(ask('services', both)),
    [
      'NAMESPACE   SERVICE   PORTS          AGENT',
      'dev         web       80             home',
      'prod        db        5432,metrics   home',
      'prod        dns       53/udp         home',
      'intranet    wiki      80             office',
      '',
    ].join('\n'),
  )
})

test('they are narrowed to a namespace or an agent, and printed for programs', async () => {
  assert.equal(
    await answered(ask('services', both, '-n', 'prod', '-o', 'name')),
    'db/prod:5432\ndb/prod:metrics\ndns/prod:53/udp\n',
  )
  assert.equal(
    await answered(ask('services', both, '-n', 'prod', '-A', '--agent', 'office', '-o', 'name')),
    'wiki/intranet:80\n',
  )
  const [first] = JSON.parse(await answered(ask('services', both, '-o', 'json'))) as object[]
  assert.deepEqual(first, { agent: 'home', service: 'web', namespace: 'dev', ports: [{ port: 80, protocol: 'tcp' }] })
})

test('a token sees what it allows, of the agents that it names', async () => {
  assert.equal(await answered(ask('services', narrow, '-o', 'name')), 'db/prod:5432\n')
  assert.equal(await answered(ask('agents', narrow)), 'NAME   SERVICES\nhome   1\n')
  assert.equal(await answered(ask('agents', both, '-o', 'name')), 'home\noffice\n')
})

test('nothing to show is said, with where to look', async () => {
  const elsewhere = ask('services', both, '-n', 'empty')
  assert.equal(await answered(elsewhere), '')
  assert.match(
    elsewhere.stderr,
    /no service is published that the token allows in namespace "empty", but 4 in others: see -A\n/,
  )
  const unknown = ask('services', both, '--agent', 'nobody')
  assert.equal((await unknown.finished()).code, 4)
  assert.match(unknown.stderr, /AGENT_UNAVAILABLE agent "nobody" .*\(there are: home, office\)/)
})

test('the door is that of connect: no token, one of an agent, a web page, another path', async () => {
  const at = gateway.url.replace('ws:', 'http:')
  const status = async (path: string, headers: Record<string, string>, method = 'GET') =>
    (await within(fetch(new URL(path, at), { headers, method }), path)).status
  const authorization = `Bearer ${await site.tokenText({ role: 'connect' })}`
  assert.equal(await status('/v1/services', { authorization }), 200)
  assert.equal(await status('/v1/services', {}), 401)
  assert.equal(
    await status('/v1/services', { authorization: `Bearer ${await site.tokenText({ role: 'agent' })}` }),
    403,
  )
  assert.equal(await status('/v1/services', { authorization, origin: 'https://evil.example' }), 403)
  assert.equal(await status('/v1/services', { authorization }, 'POST'), 404)
  assert.equal(await status('/v1/other', { authorization }), 404)
  const refused = ask('services', office)
  assert.equal((await refused.finished()).code, 3)
  assert.match(refused.stderr, /^tunnelctl: FORBIDDEN /)
})

test('an agent that has left takes its services with it', async () => {
  await home.process.kill()
  for (;;) {
    const names = await answered(ask('services', both, '-o', 'name'))
    if (names === 'wiki/intranet:80\n') return
    assert.match(names, /^web\/dev:80\n/)
  }
})
