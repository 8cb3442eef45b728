/** `login` at an OIDC issuer: by a device code, kept, renewed, and ended when the issuer says so. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { TestIssuer } from '../support/issuer.ts'
import type { Process } from '../support/processes.ts'
import { dial, echoed, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const issuer = await TestIssuer.start(scope)
issuer.claims = { sub: '17', email: 'ada@example.com', email_verified: true, groups: ['testers'] }
const rules = site.file(
  'rules.yaml',
  "{ subject: email, rules: [{ claim: groups, is: testers, agents: ['*'], allow: ['echo/test:7'] }] }",
)
const gateway = await site.gateway([
  ...['--oidc-issuer', issuer.url, '--oidc-audience', 'tunnelctl', '--oidc-rules', rules],
])
await site.agent(gateway, serviceArgs({ 'echo/test:7': await serveEcho(scope) }))
const env = { TUNNELCTL_CONFIG: join(site.folder, 'config.yaml') }
const tokenFile = join(site.folder, 'tokens/here.token')
const grantFile = `${tokenFile}.grant`

const tunnelctl = (...args: string[]): Process => site.run(args[0] ?? '', args, { env })
const logIn = (): Process => tunnelctl('login', '--gateway', gateway.url, '--name', 'here')

async function answer(running: Process, code = 0): Promise<Process> {
  assert.equal((await running.finished()).code, code, running.describe())
  return running
}

const expiryOf = (token: string): number =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }).exp

/** As it is when its time has passed; what the gateway thinks of its signature does not matter then. */
async function expire(): Promise<void> {
  issuer.tokenSeconds = -10
  writeFileSync(tokenFile, await issuer.idToken())
  issuer.tokenSeconds = 3600
}

test('login says where to go and what to enter, and keeps what it gets for this user alone', async () => {
  const { stderr, stdout } = await answer(logIn())
  assert.equal(stdout, '')
  assert.match(
    stderr,
    /^open +http:\/\/127\.0\.0\.1:\d+\/enter\ncode +ABCD-EFGH, good for 10 min\nlogged in to ws:\S+ as ada@example\.com, for 60 min; agents connected: home\ncontext here is the current one\n$/,
  )
  for (const file of [tokenFile, grantFile]) assert.equal(statSync(file).mode & 0o777, 0o600)
  const { refreshToken } = JSON.parse(readFileSync(grantFile, 'utf8')) as { refreshToken: string }
  assert.ok(!stderr.includes(refreshToken) && !readFileSync(env.TUNNELCTL_CONFIG, 'utf8').includes(refreshToken))
})

test('connect lives on it, within the rules', async () => {
  const running = tunnelctl('connect', '-o', 'json', '127.0.0.1:0:echo/test:7')
  const { local } = await running.event('forwarding')
  const socket = await dial(Number(String(local).split(':').at(-1)))
  await echoed(socket, 'by rule')
  socket.destroy()
  await running.kill()
  assert.match((await answer(tunnelctl('connect', '--stdio', 'db/prod:5432'), 3)).stderr, /DENIED/)
  assert.match(
    (await answer(tunnelctl('doctor'))).stdout,
    /token +for ada@example\.com, from http:\S+, good for \d+ min\n/,
  )
})

test('a token that has ended is renewed by one of those that want it, and its refresh token used once', async () => {
  await expire()
  const several = Array.from({ length: 4 }, () => answer(tunnelctl('services', '-o', 'name')))
  for (const { stdout } of await Promise.all(several)) assert.equal(stdout, 'echo/test:7\n')
  assert.equal(issuer.reused, 0)
  assert.ok(expiryOf(readFileSync(tokenFile, 'utf8')) > Date.now() / 1000 + 3000)
})

test('an open connection outlives its token, without a gap', async () => {
  // Under a minute, so that each dial renews it; more than 45 s, so that the gateway asks for that before it ends.
  issuer.tokenSeconds = 52
  writeFileSync(tokenFile, await issuer.idToken())
  const running = tunnelctl('connect', '-o', 'json', '127.0.0.1:0:echo/test:7')
  const { local } = await running.event('forwarding')
  const socket = await dial(Number(String(local).split(':').at(-1)))
  await echoed(socket, 'one')
  const first = readFileSync(tokenFile, 'utf8')
  assert.equal((await running.event('moved')).reason, 'expiry')
  await echoed(socket, 'two')
  assert.notEqual(readFileSync(tokenFile, 'utf8'), first)
  assert.equal(issuer.reused, 0)
  assert.ok(!running.events.some(({ event }) => event === 'disconnected'))
  socket.destroy()
  await running.kill()
  issuer.tokenSeconds = 3600
})

test('an issuer that is away is no failure while the token is good, and one line when it is not', async () => {
  issuer.instead.set('/.well-known/openid-configuration', [503, {}])
  issuer.tokenSeconds = 50
  writeFileSync(tokenFile, await issuer.idToken())
  await answer(tunnelctl('services'))
  await expire()
  const { stderr } = await answer(tunnelctl('services'), 4)
  assert.match(stderr, /^tunnelctl: ISSUER_UNREACHABLE cannot log in at http:\S+: [^\n]+\n$/)
  issuer.instead.clear()
})

test('a login that the issuer has ended is said to have ended, with what to do', async () => {
  await expire()
  const grant = JSON.parse(readFileSync(grantFile, 'utf8')) as object
  writeFileSync(grantFile, JSON.stringify({ ...grant, refreshToken: 'withdrawn' }))
  const { stderr } = await answer(tunnelctl('services'), 3)
  assert.match(stderr, /UNAUTHENTICATED not logged in at \S+: the login has ended \(log in with: tunnelctl login/)
  assert.ok(!stderr.includes('withdrawn'))
})

test('a login that is refused, or that nobody confirms, is told and keeps nothing', async () => {
  const before = readFileSync(grantFile, 'utf8')
  for (const [device, why] of [
    ['access_denied', /the login was refused there/],
    ['expired_token', /nobody entered the code in time/],
  ] as const) {
    issuer.device = device
    assert.match((await answer(logIn(), 3)).stderr, why)
  }
  issuer.device = 'authorization_pending'
  const waiting = logIn()
  await waiting.until('code', () => waiting.stderr.includes('ABCD-EFGH') || undefined)
  process.kill(waiting.pid, 'SIGINT')
  await answer(waiting, 130)
  assert.equal(readFileSync(grantFile, 'utf8'), before)
  issuer.device = 'granted'
})

test('a person without a rule is let in nowhere, and told so at login', async () => {
  issuer.claims = { ...issuer.claims, groups: [] }
  assert.match((await answer(logIn(), 3)).stderr, /FORBIDDEN .*no rule of this gateway gives you anything/)
})

test('a context that is removed takes its login with it', async () => {
  await answer(tunnelctl('context', 'remove', 'here'))
  assert.deepEqual([existsSync(tokenFile), existsSync(grantFile)], [false, false])
})

test('the options go together, and the issuer is spoken to over TLS', async () => {
  const start = (...args: string[]) =>
    answer(site.run('gateway', ['gateway', '--listen', '127.0.0.1:0', '--verify-key', site.publicKeyFile, ...args]), 2)
  assert.match((await start('--oidc-issuer', 'https://id.example')).stderr, /go together/)
  const whole = ['--oidc-audience', 'x', '--oidc-rules', rules]
  assert.match((await start('--oidc-issuer', 'http://id.example', ...whole)).stderr, /is no https URL/)
})
