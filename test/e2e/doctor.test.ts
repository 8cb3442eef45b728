/** `doctor` names the first thing that is wrong, and looks no further. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { Process } from '../support/processes.ts'
import { makeCertificate, realTest } from '../support/servers.ts'
import { freePort, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const services = { 'echo/test:7': await serveEcho(scope), 'dead/test:9': await freePort() }
await site.agent(gateway, serviceArgs(services))
const token = await site.token({ role: 'connect', allow: ['*/test:*'], subject: 'ada' })

interface Finding {
  readonly check: string
  readonly ok: boolean | null
  readonly code?: string
  readonly message?: string
  readonly hint?: string
  readonly found?: string
}

const doctor = (args: readonly string[], env: Record<string, string> = {}): Process =>
  site.run('doctor', ['doctor', ...args], {
    env: { TUNNELCTL_GATEWAY: gateway.url, TUNNELCTL_TOKEN_FILE: token, ...env },
  })

async function findings(args: readonly string[], env?: Record<string, string>): Promise<[number | null, Finding[]]> {
  const running = doctor([...args, '-o', 'json'], env)
  const { code } = await running.finished()
  const lines = running.stdout.split('\n').filter(line => line !== '')
  return [code, lines.map(line => JSON.parse(line) as Finding)]
}

/** The one that is wrong, with all before it right and all behind it not looked at. */
async function wrong(args: readonly string[], env?: Record<string, string>): Promise<[number | null, Finding]> {
  const [code, all] = await findings(args, env)
  const at = all.findIndex(({ ok }) => ok === false)
  assert.ok(at >= 0, JSON.stringify(all))
  assert.ok(all.slice(0, at).every(({ ok }) => ok === true))
  assert.ok(all.slice(at + 1).every(({ ok }) => ok === null))
  return [code, all[at] as Finding]
}

test('all is well as far as the service, and each check says what it has found', async () => {
  const running = doctor(['echo/test:7'])
  assert.equal((await running.finished()).code, 0, running.describe())
  const lines = running.stdout.trimEnd().split('\n')
  assert.deepEqual(
    lines.map(line => line.slice(0, 17).trim()),
    ['✓ configuration', '✓ token', '✓ network', '✓ gateway', '✓ clock', '✓ WebSocket', '✓ agent', '✓ throughput'],
  )
  assert.match(running.stdout, /for ada, good for \S+.*; allows \*\/test:\* at home\n/)
  assert.match(running.stdout, /home answers in .* to the gateway; echo\/test:7 accepts connections, after /)
  const rate = String.raw`\d+(\.\d+)? [kMG]B\/s`
  const both = `${rate} up, ${rate} down`
  assert.match(running.stdout, new RegExp(`throughput {5}to the gateway ${both}; to the agent ${both}\n`))
})

test('the first thing that is wrong has its code, a hint, and the exit code', async () => {
  const [withoutAgent, stranger] = [await site.gateway(), await Site.create(scope)]
  const cases: [args: string[], env: Record<string, string>, exit: number, check: string, code: string][] = [
    [[], { TUNNELCTL_GATEWAY: '' }, 2, 'configuration', 'USAGE'],
    [[], { TUNNELCTL_GATEWAY: 'ftp://x' }, 2, 'configuration', 'USAGE'],
    [[], { TUNNELCTL_TOKEN_FILE: '/nowhere' }, 3, 'token', 'TOKEN_FILE'],
    [['--token-file', await site.token({ role: 'agent' })], {}, 3, 'token', 'FORBIDDEN'],
    [['--gateway', 'wss://no-such-host.invalid'], {}, 4, 'name', 'GATEWAY_UNREACHABLE'],
    [['--gateway', 'ws://gateway.example'], {}, 2, 'configuration', 'USAGE'],
    [['--gateway', `ws://127.0.0.1:${await freePort()}`], {}, 4, 'network', 'GATEWAY_UNREACHABLE'],
    [['--gateway', gateway.url.replace('ws:', 'wss:')], {}, 4, 'TLS', 'TLS'],
    [['--gateway', `ws://127.0.0.1:${services['echo/test:7']}`], {}, 4, 'gateway', 'NOT_A_GATEWAY'],
    [['--token-file', await stranger.token({ role: 'connect' })], {}, 3, 'gateway', 'UNAUTHENTICATED'],
    [['--gateway', withoutAgent.url], {}, 4, 'agent', 'AGENT_UNAVAILABLE'],
    [['dead/test:9'], {}, 4, 'agent', 'REFUSED'],
    [['echo/other:7'], {}, 3, 'agent', 'DENIED'],
  ]
  for (const [args, env, exit, check, code] of cases) {
    const [exitCode, finding] = await wrong(args, env)
    assert.deepEqual([finding.check, finding.code, exitCode], [check, code, exit], JSON.stringify(finding))
    assert.match(finding.hint ?? '', /\w/)
  }
})

test('a clock that is off is told, and by how much', async () => {
  const hour = 60 * 60_000
  const late = createServer((_request, response) => {
    response.setHeader('date', new Date(Date.now() + hour).toUTCString())
    response.end('{"agents":[]}')
  }).listen(0, '127.0.0.1')
  after(() => late.close())
  await once(late, 'listening')
  const [code, finding] = await wrong(['--gateway', `ws://127.0.0.1:${(late.address() as AddressInfo).port}`])
  assert.deepEqual([code, finding.check], [3, 'clock'])
  assert.match(finding.message ?? '', /the clock of this machine is 3[56]\d\d s behind the gateway's/)
})

test('a proxy that is set is told of, also when it is not for this gateway', async () => {
  const [code, all] = await findings([], { HTTPS_PROXY: 'http://proxy.example' })
  assert.equal(code, 0)
  assert.match(all.find(({ check }) => check === 'proxy')?.found ?? '', /HTTPS_PROXY set, and not for this gateway/)
})

realTest(
  'over TLS it says how long the certificate is good, or what is wrong with it',
  { programs: ['openssl'], packages: 'openssl' },
  async () => {
    const { cert, key } = await makeCertificate(scope, site.folder)
    const secure = await site.gateway(['--tls-cert', cert, '--tls-key', key])
    const url = `wss://localhost:${new URL(secure.url).port}`
    await site.agent({ url }, ['--ca-file', cert, ...serviceArgs(services)])
    const [code, all] = await findings(['--gateway', url, '--ca-file', cert, 'echo/test:7'])
    assert.equal(code, 0, JSON.stringify(all))
    assert.match(
      all.find(({ check }) => check === 'TLS')?.found ?? '',
      /^TLSv1\.3, and the certificate is good for (29|30) days$/,
    )
    const [refused, finding] = await wrong(['--gateway', url])
    assert.deepEqual([refused, finding.check, finding.code], [4, 'TLS', 'TLS'])
    assert.match(finding.message ?? '', /self-signed/)
  },
)
