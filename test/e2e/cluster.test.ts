/** An agent without a secret of its own: its pod's token, which the kubelet renews, while connections go on. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { TestIssuer } from '../support/issuer.ts'
import { dial, echoed, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const issuer = await TestIssuer.start(scope)
issuer.claims = { sub: 'system:serviceaccount:tunnelctl:agent', aud: ['tunnelctl-gateway'] }
const clusters = site.file(
  'clusters.yaml',
  `clusters: [{ issuer: '${issuer.url}', agents: [{ account: tunnelctl/agent, name: home }] }]`,
)

test('it registers under the name that the operator gave it, and comes with its new token before the old one ends', async () => {
  const gateway = await site.gateway(['--clusters', clusters])
  // More than 45 s, so that the gateway asks for another before it ends; less than a minute, so that it does soon.
  issuer.tokenSeconds = 52
  const token = site.file('pod.token', await issuer.idToken())
  const agent = await site.agent(gateway, serviceArgs({ 'echo/test:7': await serveEcho(scope) }), token)
  const connect = await site.connect(gateway, ['echo/test:7'])
  assert.equal((await connect.process.event('connected')).agent, 'home')
  const socket = await dial(connect.port('echo/test:7'))
  await echoed(socket, 'before')
  issuer.tokenSeconds = 3600
  // As the kubelet does it.
  writeFileSync(`${token}.new`, await issuer.idToken(), { mode: 0o600 })
  renameSync(`${token}.new`, token)
  const since = agent.process.events.length
  await agent.process.event('registered', ({ reason }) => reason === 'expiry', since)
  await echoed(socket, 'after')
  socket.destroy()
})

test('an account that nobody has named is told so, and stays away', async () => {
  const gateway = await site.gateway(['--clusters', clusters])
  const token = site.file('other.token', await issuer.idToken({ sub: 'system:serviceaccount:evil:agent' }))
  const running = site.run('agent', ['agent', '--gateway', gateway.url, '--token-file', token])
  assert.equal((await running.finished()).code, 3)
  assert.match(running.stderr, /FORBIDDEN.*is no agent of this gateway/)
})
