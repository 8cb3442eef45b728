/** Contexts: `login` makes them, `connect` lives on them, flags and environment go before them. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Process } from '../support/processes.ts'
import { dial, echoed, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, serviceArgs({ 'echo/test:7': await serveEcho(scope) }))
const token = await site.token({ role: 'connect', allow: ['echo/test:7'], subject: 'ada' })
const env = { TUNNELCTL_CONFIG: join(site.folder, 'config.yaml') }

const tunnelctl = (args: readonly string[], more: Record<string, string> = {}, stdin?: string): Process => {
  const running = site.run(args[0] ?? '', args, {
    env: { ...env, ...more },
    ...(stdin !== undefined && { stdin: 'pipe' }),
  })
  if (stdin !== undefined) running.stdin.end(stdin)
  return running
}

async function outcome(running: Process): Promise<[code: number | null, stdout: string, stderr: string]> {
  const { code } = await running.finished()
  return [code, running.stdout, running.stderr]
}

const host = new URL(gateway.url).host

test('login checks the token, keeps it for this user alone, and connect needs nothing more', async () => {
  const text = await site.tokenText({ role: 'connect', allow: ['echo/test:7'], subject: 'ada' })
  const args = ['login', '--gateway', gateway.url, '--token-file', '-', '--name', 'here', '-n', 'test']
  const [code, stdout, stderr] = await outcome(tunnelctl(args, {}, `${text}\n`))
  assert.deepEqual([code, stdout], [0, ''], stderr)
  assert.match(
    stderr,
    /^logged in to ws:\/\/\S+ as ada, for \S+.*: agents home; allowed echo\/test:7\ncontext here is the current one\n$/,
  )
  const kept = join(site.folder, 'tokens/here.token')
  assert.equal(readFileSync(kept, 'utf8').trim(), text)
  assert.equal(statSync(kept).mode & 0o777, 0o600)
  assert.ok(!readFileSync(env.TUNNELCTL_CONFIG, 'utf8').includes(text))

  const running = tunnelctl(['connect', '-o', 'json', '127.0.0.1:0:echo:7'])
  const { local } = await running.event('forwarding')
  const socket = await dial(Number(String(local).split(':').at(-1)))
  await echoed(socket, 'by context')
  socket.destroy()
  await running.kill()
})

test('a token that the gateway refuses is not kept', async () => {
  const stranger = await Site.create(scope)
  const wrong = await stranger.token({ role: 'connect' })
  const [code, , stderr] = await outcome(
    tunnelctl(['login', '--gateway', gateway.url, '--token-file', wrong, '--name', 'no']),
  )
  assert.equal(code, 3)
  assert.match(stderr, /^tunnelctl: UNAUTHENTICATED /)
  const [, names] = await outcome(tunnelctl(['context', 'list', '-o', 'name']))
  assert.equal(names, 'here\n')
})

test('a token file is named, not copied; the name of a context is the host, if none is given', async () => {
  const [code] = await outcome(tunnelctl(['login', '--gateway', gateway.url, '--token-file', token]))
  assert.equal(code, 0)
  const [, shown] = await outcome(tunnelctl(['context', 'show']))
  assert.equal(shown, `name: ${host}\ngateway: ${gateway.url.replace(/\/$/, '')}\ntoken-file: ${token}\n`)
  const [, table] = await outcome(tunnelctl(['context', 'list']))
  assert.match(
    table,
    /^ +NAME +GATEWAY +AGENT +NAMESPACE\n +here +ws:\/\/\S+ +test\n\* +127\.0\.0\.1:\d+ +ws:\/\/\S+\n$/,
  )
})

test('contexts are used, renamed and removed, with the token that login has stored', async () => {
  assert.equal((await outcome(tunnelctl(['context', 'use', 'here'])))[0], 0)
  assert.equal((await outcome(tunnelctl(['context', 'rename', host, 'other'])))[0], 0)
  const [, names] = await outcome(tunnelctl(['context', 'list', '-o', 'name']))
  assert.equal(names, 'here\nother\n')
  assert.equal((await outcome(tunnelctl(['context', 'remove', 'other'])))[0], 0)
  assert.equal(existsSync(token), true)
  const [code, , stderr] = await outcome(tunnelctl(['context', 'use', 'other']))
  assert.equal(code, 2)
  assert.match(stderr, /there is no context "other" \(there are: here\)/)
})

test('a flag goes before the environment, that before the context; view says which it is, and shows no secret', async () => {
  const [, plain] = await outcome(tunnelctl(['config', 'view', '--show-origin']))
  assert.match(plain, /^context +here +\S+config\.yaml$/m)
  assert.match(plain, /^namespace +test +context here$/m)
  const secret = 'eyJsecret.secret.secret'
  const [, mixed] = await outcome(
    tunnelctl(['config', 'view', '--show-origin'], { TUNNELCTL_NAMESPACE: 'prod', TUNNELCTL_TOKEN: secret }),
  )
  assert.match(mixed, /^namespace +prod +TUNNELCTL_NAMESPACE$/m)
  assert.match(mixed, /^token +\(not shown\) +TUNNELCTL_TOKEN$/m)
  assert.ok(!mixed.includes(secret))
  // The context's own gateway is alive, so only what goes before it can fail.
  const dead = 'ws://127.0.0.1:9'
  for (const [args, more] of [
    [['--gateway', dead], {}],
    [[], { TUNNELCTL_GATEWAY: dead }],
  ] as const) {
    const words = ['connect', ...args, '--stdio', 'echo:7']
    const [code, , stderr] = await outcome(tunnelctl(words, { ...more, TUNNELCTL_TOKEN: secret }))
    assert.equal(code, 4, stderr)
    assert.match(stderr, /GATEWAY_UNREACHABLE/)
    // The token of the context is for its own gateway.
    assert.match((await outcome(tunnelctl(words, more)))[2], /no token was given/)
  }
  const [code, , stderr] = await outcome(tunnelctl(['connect', '--context', 'nope', 'echo:7']))
  assert.equal(code, 2)
  assert.match(stderr, /there is no context "nope"/)
})
