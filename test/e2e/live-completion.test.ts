/** What completion knows of the gateway: in shells, from a cache, and silent about everything that goes wrong. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually, Process } from '../support/processes.ts'
import { findProgram, realTest } from '../support/servers.ts'
import { TestTerminal } from '../support/terminal.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, [
  ...[
    '--service',
    'pg/db:5432=127.0.0.1:1',
    '--service',
    'pg/db:9187=127.0.0.1:1',
    '--service',
    'web/prod:http=127.0.0.1:1',
  ],
])
const token = await site.token({ role: 'connect' })

const root = fileURLToPath(new URL('../..', import.meta.url))
const bin = join(site.folder, 'bin')
mkdirSync(bin)
writeFileSync(join(bin, 'tunnelctl'), `#!/bin/sh\nexec "${process.execPath}" "${root}bin/tunnelctl.js" "$@"\n`, {
  mode: 0o755,
})

let caches = 0
/** With a cache of its own. */
function user(changes: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: `${bin}:${process.env.PATH}`,
    XDG_CACHE_HOME: join(site.folder, `cache-${++caches}`),
    TUNNELCTL_CONFIG: join(site.folder, 'config.yaml'),
    TUNNELCTL_GATEWAY: gateway.url,
    TUNNELCTL_TOKEN_FILE: token,
    ...changes,
  }
}

async function asked(env: Record<string, string>, ...args: string[]): Promise<string[]> {
  const running = site.run('__complete', ['__complete', ...args], { env })
  assert.equal((await running.finished()).code, 0)
  assert.equal(running.stderr, '')
  return running.stdout.split('\n').filter(line => line !== '')
}

const cacheOf = (env: Record<string, string>): string => {
  const folder = join(String(env.XDG_CACHE_HOME), 'tunnelctl')
  return join(folder, readdirSync(folder).find(name => name.endsWith('.json')) ?? '')
}

const age = (file: string, ms: number): void => {
  const cached = JSON.parse(readFileSync(file, 'utf8')) as { at: number }
  writeFileSync(file, JSON.stringify({ ...cached, at: cached.at - ms }))
}

test('targets, agents and namespaces are those of the gateway, narrowed by what the line says already', async () => {
  const env = user()
  assert.deepEqual(await asked(env, 'targets', ''), ['pg/db:5432', 'pg/db:9187', 'web/prod:http'])
  assert.deepEqual(await asked(env, 'targets', 'pg/db:9'), ['pg/db:9187'])
  assert.deepEqual(await asked(env, 'targets', '5433:w'), ['5433:web/prod:http'])
  assert.deepEqual(await asked(env, 'targets', '[::1]:5433:w'), ['[::1]:5433:web/prod:http'])
  assert.deepEqual(await asked(env, 'targets', 'unix:/tmp/x:w'), ['unix:/tmp/x:web/prod:http'])
  assert.deepEqual(await asked(env, 'targets', '', 'connect', '-n', 'prod'), ['web/prod:http'])
  assert.deepEqual(await asked(env, 'targets', '', 'connect', '--agent', '=', 'other'), [])
  assert.deepEqual(await asked(env, 'agents', ''), ['home'])
  assert.deepEqual(await asked(env, 'namespaces', 'd'), ['db'])
  assert.deepEqual(await asked(env, 'nonsense', ''), [])
  assert.equal(statSync(cacheOf(env)).mode & 0o777, 0o600)
  assert.ok(!readFileSync(cacheOf(env), 'utf8').includes(readFileSync(token, 'utf8').trim()))
})

test('the line decides who is asked, before the environment', async () => {
  const env = user({ TUNNELCTL_GATEWAY: 'ws://127.0.0.1:9' })
  assert.deepEqual(await asked(env, 'agents', ''), [])
  assert.deepEqual(await asked(env, 'agents', '', 'connect', `--gateway=${gateway.url}`), ['home'])
})

test('what is known is offered at once, and asked for again when it is old', async () => {
  const env = user()
  await asked(env, 'targets', '')
  const file = cacheOf(env)
  const other = await site.agent(
    gateway,
    ['--service', 'late/prod:1=127.0.0.1:1'],
    await site.token({ role: 'agent', agents: ['office'], subject: 'o' }),
  )
  const wide = await site.token({ role: 'connect', agents: ['*'] })
  writeFileSync(token, readFileSync(wide))
  // Young enough: nobody is asked.
  assert.equal((await asked(env, 'targets', 'late')).length, 0)
  age(file, 31_000)
  assert.equal((await asked(env, 'targets', 'pg')).length, 2)
  await eventually(
    async () => (await asked(env, 'targets', 'late')).length > 0,
    () => 'it is not offered',
  )
  await other.process.kill()
})

test('without a gateway, a token or a folder to write to, nothing is offered and nothing is said', async () => {
  for (const changes of [
    { TUNNELCTL_GATEWAY: 'ws://127.0.0.1:9' },
    { TUNNELCTL_GATEWAY: 'nonsense' },
    { TUNNELCTL_TOKEN_FILE: '/nowhere' },
    { XDG_CACHE_HOME: '/proc/none' },
  ]) {
    assert.deepEqual(await asked(user(changes), 'targets', ''), [])
  }
  const damaged = user()
  await asked(damaged, 'targets', '')
  writeFileSync(cacheOf(damaged), '{"at":"x"')
  assert.equal((await asked(damaged, 'targets', 'pg')).length, 2)
})

test('a gateway that is gone leaves what was known', async () => {
  const env = user()
  await asked(env, 'targets', '')
  const dead = await site.gateway()
  await dead.process.kill()
  age(cacheOf(env), 40_000)
  const lost = { ...env, TUNNELCTL_GATEWAY: dead.url }
  assert.deepEqual(await asked(lost, 'targets', ''), [])
  assert.equal((await asked(env, 'targets', 'pg')).length, 2)
})

test('contexts are those of the configuration', async () => {
  const env = user()
  writeFileSync(String(env.TUNNELCTL_CONFIG), 'contexts:\n  prod: {}\n  play: {}\n  staging: {}\n')
  assert.deepEqual(await asked(env, 'contexts', 'p'), ['prod', 'play'])
  writeFileSync(String(env.TUNNELCTL_CONFIG), '- broken')
  assert.deepEqual(await asked(env, 'contexts', ''), [])
  writeFileSync(String(env.TUNNELCTL_CONFIG), '')
})

/** A user who has two connects running detached, and no gateway that answers any more. */
async function userWithDetached(t: TestContext): Promise<Record<string, string>> {
  const env = user({ XDG_STATE_HOME: join(site.folder, `state-${caches}`) })
  const outcome = async (...args: string[]) => {
    const running = site.run(args[0] ?? '', args, { env })
    assert.equal((await running.finished()).code, 0, running.describe())
  }
  t.after(() => outcome('stop', '--all'))
  for (const target of ['pg/db:5432', 'web/prod:http']) await outcome('connect', '--detach', `127.0.0.1:0:${target}`)
  return { ...env, TUNNELCTL_GATEWAY: 'ws://127.0.0.1:9' }
}

test('stop and logs complete what runs detached, each name once, without asking a gateway', async t => {
  const env = await userWithDetached(t)
  assert.deepEqual(await asked(env, 'detached', ''), ['pg-db-5432', 'web-prod-http'])
  assert.deepEqual(await asked(env, 'detached', 'we'), ['web-prod-http'])
  assert.deepEqual(await asked(env, 'detached', '', 'stop', 'pg-db-5432', ''), ['web-prod-http'])
  assert.deepEqual(await asked(env, 'detached', 'pg-db-5432', 'stop', 'pg-db-5432'), ['pg-db-5432'])
  assert.equal(existsSync(String(env.XDG_CACHE_HOME)), false)
  assert.deepEqual(await bash('tunnelctl stop ', env), ['pg-db-5432', 'web-prod-http'])
  assert.deepEqual(await bash('tunnelctl stop web-prod-http ', env), ['pg-db-5432'])
  assert.deepEqual(await bash('tunnelctl logs p', env), ['pg-db-5432'])
  assert.deepEqual(await bash('tunnelctl ps ', env), [])
})

test('where nothing runs detached, or nothing can be read, stop completes nothing and says nothing', async () => {
  assert.deepEqual(await asked(user({ XDG_STATE_HOME: join(site.folder, 'none') }), 'detached', ''), [])
  assert.deepEqual(await asked(user({ XDG_STATE_HOME: '/proc/none' }), 'detached', ''), [])
  const broken = join(site.folder, 'broken')
  mkdirSync(join(broken, 'tunnelctl'), { recursive: true })
  writeFileSync(join(broken, 'tunnelctl/detached'), 'not a folder')
  assert.deepEqual(await asked(user({ XDG_STATE_HOME: broken }), 'detached', ''), [])
})

/** What bash puts behind the cursor, which splits words at colons. */
async function bash(line: string, env: Record<string, string>): Promise<string[]> {
  const script = `
    set -u
    source "$1"
    COMP_LINE=$2 COMP_POINT=\${#2}
    COMP_WORDS=("\${@:3}"); COMP_CWORD=$(($# - 3))
    _tunnelctl
    printf '%s\\n' "\${COMPREPLY[@]}"
  `
  const words = line.split(/\s+|(?<=:)|(?=:)/)
  const args = ['--norc', '-c', script, 'bash', `${root}completions/tunnelctl.bash`, line, ...words]
  const running = new Process('bash', findProgram('bash') ?? '', args, { env })
  await running.finished()
  assert.equal(running.stderr, '')
  return running.stdout.split('\n').filter(word => word !== '')
}

test('bash completes behind the colon', async () => {
  const env = user()
  assert.deepEqual(await bash('tunnelctl connect pg/db:', env), ['5432', '9187'])
  assert.deepEqual(await bash('tunnelctl connect pg/db:54', env), ['5432'])
  assert.deepEqual(await bash('tunnelctl connect web', env), ['web/prod:http'])
  assert.deepEqual(await bash('tunnelctl connect web/prod:http 5433:pg', env), ['pg/db:5432', 'pg/db:9187'])
  assert.deepEqual(await bash('tunnelctl connect --agent ho', env), ['home'])
  assert.deepEqual(await bash('tunnelctl services -n pr', env), ['prod'])
})

async function fish(line: string, env: Record<string, string>): Promise<string[]> {
  const script = `source ${root}completions/tunnelctl.fish; complete -C '${line}'`
  const running = new Process('fish', 'fish', ['--no-config', '-c', script], { env })
  await running.finished()
  assert.equal(running.stderr, '')
  return running.stdout.split('\n').filter(word => word !== '')
}

realTest('fish completes targets, and what runs detached', { programs: ['fish'], packages: 'fish' }, async t => {
  assert.deepEqual(await fish('tunnelctl connect pg/db:', user()), ['pg/db:5432', 'pg/db:9187'])
  const env = await userWithDetached(t)
  assert.deepEqual(await fish('tunnelctl stop ', env), ['pg-db-5432', 'web-prod-http'])
  assert.deepEqual(await fish('tunnelctl logs w', env), ['web-prod-http'])
})

const zsh = { programs: ['zsh', 'tmux'], packages: 'zsh tmux' }
realTest('zsh completes targets, and what runs detached, at a terminal', zsh, async t => {
  const terminal = await TestTerminal.open(t, 'zsh -f', await userWithDetached(t))
  const setup = `PS1='> '; autoload -Uz compinit; compinit -u -D; source ${root}completions/_tunnelctl; clear`
  await terminal.type(setup, 'Enter')
  await terminal.shows(/^> *$/m)
  await terminal.type(`tunnelctl connect --gateway ${gateway.url} web`, 'Tab')
  await terminal.shows(/web\/prod:http/)
  await terminal.type('C-u', 'tunnelctl stop web-prod-http p', 'Tab')
  await terminal.shows(/tunnelctl stop web-prod-http pg-db-5432/)
  await terminal.type('C-u', 'tunnelctl logs w', 'Tab')
  await terminal.shows(/tunnelctl logs web-prod-http/)
})

test('kubectl is told the same, one a line, and that no file is meant', async () => {
  const complete = fileURLToPath(new URL('../../bin/kubectl_complete-tunnelctl.js', import.meta.url))
  const said = async (...args: string[]) => {
    const running = new Process('kubectl_complete', process.execPath, [complete, ...args], { env: user() })
    assert.equal((await running.finished()).code, 0)
    return running.stdout.split('\n').slice(0, -1)
  }
  assert.deepEqual(await said('connect', 'pg/db:'), ['pg/db:5432', 'pg/db:9187', ':4'])
  assert.deepEqual(await said('serv'), ['services', ':4'])
  assert.deepEqual(await said('connect', '--output', ''), ['text', 'json', ':4'])
  assert.deepEqual(await said('nothing', 'here'), [':4'])
})
