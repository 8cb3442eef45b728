import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { CommanderError } from 'commander'
import { tokenCommand } from '../../src/cli/commands/token.ts'
import { TunnelError } from '../../src/errors.ts'
import { Authenticator } from '../../src/gateway/auth.ts'
import { keysById, loadVerifyKeys } from '../../src/gateway/keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-cli-token-'))
after(() => rmSync(folder, { recursive: true }))
const key = join(folder, 'key')

class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

interface Run {
  readonly out: string
  readonly err: string
  readonly thrown?: unknown
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Promise<Run> {
  const [stdout, stderr] = [new Sink(), new Sink()]
  const command = tokenCommand({ stdin: Readable.from([stdin]), stdout, stderr, env })
  const result = () => ({ out: stdout.text, err: stderr.text })
  try {
    await command.parseAsync([...args], { from: 'user' })
    return result()
  } catch (thrown) {
    return { ...result(), thrown }
  }
}

const create = ['create', '--key', key]
const connect = [...create, '--role', 'connect', '--subject', 'alice', '--ttl', '8h']
const agent = [...create, '--role', 'agent', '--subject', 'cluster', '--ttl', '30d', '--agent', 'home']

test('keygen writes both halves and says on stderr which one goes where', async () => {
  const { out, err, thrown } = await run(['keygen', '--out', key])
  assert.equal(thrown, undefined)
  assert.equal(out, '')
  assert.match(err, /--verify-key .*key\.pub/)
  assert.ok(existsSync(key) && existsSync(`${key}.pub`))
  assert.ok(!err.includes((JSON.parse(readFileSync(key, 'utf8')) as { d: string }).d))
  const again = await run(['keygen', '--out', key])
  assert.ok(again.thrown instanceof TunnelError && again.thrown.code === 'KEY_FILE')
})

test('create prints the token alone on stdout, and a gateway with the public half takes it', async () => {
  const wish = ['--agent', 'home', 'prod-*', '--allow', 'api/prod:8080', '--allow', '*/dev:*']
  const { out, err } = await run([...connect, ...wish])
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  assert.match(err, /role connect, subject alice, good for 8 h/)
  assert.ok(!err.includes(out.trim()))
  const keys = keysById(await loadVerifyKeys([`${key}.pub`]))
  const authenticator = new Authenticator({ keys: () => keys, now: Date.now })
  const principal = await authenticator.authenticate({ rawHeaders: ['Authorization', `Bearer ${out.trim()}`] })
  assert.deepEqual(principal.agents, ['home', 'prod-*'])
  assert.deepEqual(
    principal.allow.map(pattern => pattern.text),
    ['api/prod:8080', '*/dev:*'],
  )
  assert.ok(Math.abs(principal.expiresAt - Date.now() - 8 * 3_600_000) < 10_000)
})

test('a token for an agent takes one name and no patterns', async () => {
  const { out, thrown } = await run(agent)
  assert.equal(thrown, undefined)
  const { out: json } = await run(['inspect', '--token-file', '-'], {}, out)
  const { claims } = JSON.parse(json) as { claims: Record<string, unknown> }
  assert.deepEqual([claims.role, claims.agents, claims.allow], ['agent', ['home'], []])
})

test('a wrong wish is a usage error that says what is wrong, and prints no token', async () => {
  const table: [string[], RegExp][] = [
    [[...agent, '--agent', 'second'], /exactly one agent/],
    [[...agent, '--allow', 'a/b:1'], /takes no patterns/],
    [[...connect, '--allow', 'a/b:1'], /at least one agent/],
    [[...connect, '--agent', '*'], /at least one pattern/],
    [[...connect, '--agent', 'Home', '--allow', 'a/b:1'], /"Home"/],
    [[...connect, '--agent', '*', '--allow', 'a/b'], /malformed pattern "a\/b"/],
    [[...connect, '--agent', '*', '--allow', 'a/b:1', '--ttl', '8 hours'], /malformed duration "8 hours"/],
    [[...connect, '--agent', '*', '--allow', 'a/b:1', '--ttl', '0'], /lifetime is 0/],
  ]
  for (const [args, why] of table) {
    const { out, thrown } = await run(args)
    assert.equal(out, '')
    assert.ok(thrown instanceof TunnelError && thrown.code === 'USAGE', String(thrown))
    assert.match(thrown.message, why)
  }
})

test('a missing or unknown option throws instead of ending the process', async () => {
  for (const args of [
    [],
    ['create'],
    ['keygen'],
    ['kegen'],
    [...agent, '--role', 'admin'],
    ['inspect', '--nope'],
    ['inspect', 'x'],
  ]) {
    const { thrown, out } = await run(args)
    assert.ok(thrown instanceof CommanderError && thrown.exitCode !== 0, args.join(' '))
    assert.equal(out, '')
  }
})

test('help goes to stdout, names the environment variables, and offers no way to pass a secret', async () => {
  const { out, thrown } = await run(['create', '--help'])
  assert.ok(thrown instanceof CommanderError && thrown.exitCode === 0)
  for (const name of ['TUNNELCTL_KEY', 'TUNNELCTL_ROLE', 'TUNNELCTL_SUBJECT', 'TUNNELCTL_TTL'])
    assert.ok(out.includes(name))
  assert.doesNotMatch((await run(['inspect', '--help'])).out, /--token[^-]/)
})

test('options come from the environment too, and a flag goes first', async () => {
  const variables = { TUNNELCTL_KEY: key, TUNNELCTL_ROLE: 'agent', TUNNELCTL_SUBJECT: 'env', TUNNELCTL_TTL: '1h' }
  Object.assign(process.env, variables)
  try {
    const { out, err } = await run(['create', '--agent', 'home', '--subject', 'flag'])
    assert.match(out, /^\S+\n$/)
    assert.match(err, /role agent, subject flag, good for 60 min/)
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name]
  }
})

test('what a token may do is never taken from the environment', async () => {
  process.env.TUNNELCTL_AGENT = '*'
  process.env.TUNNELCTL_ALLOW = '*/*:*'
  try {
    const { thrown } = await run(connect)
    assert.ok(thrown instanceof TunnelError && thrown.code === 'USAGE')
  } finally {
    delete process.env.TUNNELCTL_AGENT
    delete process.env.TUNNELCTL_ALLOW
  }
})

test('inspect prints JSON on stdout and the time left in words on stderr', async () => {
  const { out: token } = await run(agent)
  const file = join(folder, 'token')
  writeFileSync(file, token, { mode: 0o600 })
  for (const [args, env] of [
    [['--token-file', file], {}],
    [[], { TUNNELCTL_TOKEN: token.trim() }],
  ] as const) {
    const { out, err } = await run(['inspect', ...args], env)
    const report = JSON.parse(out) as { expired: boolean; claims: { sub: string } }
    assert.equal(report.expired, false)
    assert.equal(report.claims.sub, 'cluster')
    assert.match(err, /^good for 30 d, until 20\d\d-.*Z\n$/)
    assert.ok(!out.includes(token.trim().split('.')[2] ?? '-'), 'the signature stays out')
  }
})

test('inspect says when a token expired and why a gateway would refuse it, and escapes what it shows', async () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) - 3 * 3600
  const foreign = `${part({ alg: 'RS256' })}.${part({ sub: '\u202e\x9b\u2028é\x7f', exp })}.AAAA`
  const { out, err } = await run(['inspect', '--token-file', '-'], {}, foreign)
  assert.match(err, /^expired 3 h ago \(.*Z\)\na gateway would refuse it: the claim "iss"/)
  assert.ok([...out].every(unit => unit === '\n' || (unit >= ' ' && unit <= '~')))
  assert.equal((JSON.parse(out) as { claims: { sub: string } }).claims.sub, '\u202e\x9b\u2028é\x7f')
})

test('a token on the command line is refused and never repeated', async () => {
  const { out } = await run(agent)
  const token = out.trim()
  for (const args of [
    ['inspect', '--token', token],
    ['inspect', `--token=${token}`],
    ['inspect', `--tokn=${token}`],
    ['inspect', token],
    ['inspect', '--token-file', token],
    [token],
    [...agent, '--role', token],
    [...agent, '--ttl', token],
  ]) {
    const { out: shown, err, thrown } = await run(args)
    assert.ok(thrown instanceof Error)
    const all = `${shown} ${err} ${thrown.message} ${thrown.stack} ${(thrown as TunnelError).hint}`
    for (const piece of token.split('.')) assert.ok(!all.includes(piece.slice(0, 16)), args[0])
  }
})

test('check says by which pattern a target is allowed, and by which agents', async () => {
  const { out: token } = await run([...connect, '--agent', 'home', 'prod-*', '--allow', 'db/prod:5432', '*/dev:*'])
  const check = (...args: string[]) => run(['check', '--token-file', '-', ...args], {}, token)
  const { out, err, thrown } = await check('api/dev:http', '--agent', 'prod-2')
  assert.equal(thrown, undefined)
  assert.equal(out, 'api/dev:http is allowed by */dev:*, through home, prod-*\n')
  assert.match(err, /^good for 8 h.*; the agent may still deny it\n$/)
  const refused = async (code: string, message: RegExp, ...args: string[]) => {
    const { out, thrown } = await check(...args)
    assert.equal(out, '')
    assert.ok(thrown instanceof TunnelError && thrown.code === code, String(thrown))
    assert.match(thrown.message, message)
  }
  await refused('DENIED', /^the token does not allow db\/prod:5433, but db\/prod:5432, \*\/dev:\*$/, 'db/prod:5433')
  await refused('DENIED', /^the token does not allow pod\/x\/dev:1,/, 'pod/x/dev:1')
  await refused(
    'FORBIDDEN',
    /^the token does not allow agent "test", but home, prod-\*$/,
    'api/dev:1',
    '--agent',
    'test',
  )
  await refused('BAD_TARGET', /no port/, 'api/dev')
})

test('check refuses what a gateway would refuse, and what only a gateway knows', async () => {
  const check = async (token: string) => (await run(['check', '--token-file', '-', 'db/prod:1'], {}, token)).thrown
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const foreign = `${part({ alg: 'RS256' })}.${part({ iss: 'https://id.example.com', sub: 'ada' })}.AA`
  const ofOthers = await check(foreign)
  assert.ok(ofOthers instanceof TunnelError && ofOthers.code === 'USAGE')
  const ofAgent = await check((await run(agent)).out)
  assert.ok(ofAgent instanceof TunnelError && ofAgent.code === 'FORBIDDEN')
  const claims = {
    iss: 'tunnelctl',
    aud: 'tunnelctl',
    role: 'connect',
    sub: 'a',
    agents: ['*'],
    allow: ['*/*:*'],
    jti: 'x',
  }
  const old = await check(`${part({ alg: 'EdDSA' })}.${part({ ...claims, iat: 1, exp: 2 })}.AA`)
  assert.ok(old instanceof TunnelError && old.code === 'UNAUTHENTICATED')
  assert.match(old.message, /^the token expired .* ago/)
})
