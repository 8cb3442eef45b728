/** `up` opens what tunnelctl.yaml lists. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { dial, echoed, freePort, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(
  gateway,
  serviceArgs({ 'echo/test:7': await serveEcho(scope), 'other/test:8': await serveEcho(scope) }),
)
const env = { TUNNELCTL_GATEWAY: gateway.url, TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }) }

test('all forwards of a profile are opened, until a signal ends them', async () => {
  const [one, other] = [await freePort(), await freePort()]
  const file = site.file(
    'tunnelctl.yaml',
    `profiles:\n  both:\n    namespace: test\n    forwards: ["127.0.0.1:${one}:echo:7", "127.0.0.1:${other}:other/test:8"]\n`,
  )
  const running = site.run('up', ['up', 'both', '--file', file], { env })
  await running.until('both forwards', () => running.stdout.split('\n').length > 2 || undefined)
  assert.equal(
    running.stdout,
    `Forwarding from 127.0.0.1:${one} -> echo/test:7\nForwarding from 127.0.0.1:${other} -> other/test:8\n`,
  )
  for (const port of [one, other]) await echoed(await dial(port), 'up')
  process.kill(running.pid, 'SIGINT')
  assert.equal((await running.finished()).code, 130)
})

test('what is wrong with the file is told, and nothing is opened', async () => {
  const file = site.file('wrong.yaml', 'forwards: ["0.0.0.0:1:echo/test:7"]')
  const running = site.run('up', ['up', '--file', file], { env })
  assert.equal((await running.finished()).code, 2)
  assert.match(running.stderr, /^tunnelctl: USAGE \S+wrong\.yaml is malformed: the file would listen on "0\.0\.0\.0"/)
})
