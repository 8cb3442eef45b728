/** ssh and git through the packed package, as npx runs it in a folder that has nothing else. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { installed, npmEnv } from '../support/npm.ts'
import { eventually } from '../support/processes.ts'
import { realTest, run, type SshLogin, startSshd } from '../support/servers.ts'
import { freePort } from '../support/sockets.ts'
import { metricsOf, type Scope, Site, serviceArgs } from '../support/tunnel.ts'

const MiB = 1024 ** 2

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const port = await freePort()
const agent = await site.agent(gateway, serviceArgs({ 'ssh/prod:22': port }))
const cwd = await installed(scope)
const env = {
  ...npmEnv,
  TUNNELCTL_GATEWAY: gateway.url,
  TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }),
  // Nothing that whoever runs the tests has set for git counts.
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
}
const proxied = ({ options }: SshLogin): readonly string[] => [
  ...options,
  '-o',
  'ProxyCommand=npx --no-install tunnelctl connect --stdio ssh/prod:22',
]

/** ssh ends its ProxyCommand when it ends: the session must end too, and not wait for a resume. */
const noSessionIsLeft = (): Promise<void> =>
  eventually(
    async () => (await metricsOf(agent)).get('sessions') === 0,
    () => 'a session is left at the agent',
  )

const ssh = { programs: ['npx', 'sshd', 'ssh', 'ssh-keygen'], packages: 'npm openssh-server openssh-client' }
realTest('ssh runs a command, whose output and exit code come back', ssh, async t => {
  const login = await startSshd(t, port)
  const at = [...proxied(login), `${login.user}@${login.host}`]
  const { stdout } = await run(t, 'ssh', [...at, 'cat; echo $((6 * 7))'], { cwd, env })
  assert.equal(stdout, '42\n')
  const failing = await run(t, 'sh', ['-c', '"$@"; echo code=$?', 'sh', 'ssh', ...at, 'exit 7'], { cwd, env })
  assert.equal(failing.stdout, 'code=7\n')
  await noSessionIsLeft()
})

const git = { programs: [...ssh.programs, 'git'], packages: `${ssh.packages} git` }
realTest('git clones a repository of some megabytes, whole, and pushes to it', git, async t => {
  const login = await startSshd(t, port)
  const origin = await makeRepository(t, join(login.folder, 'origin'))
  const command = ['ssh', ...proxied(login)].map(word => `'${word}'`).join(' ')
  const remote = { cwd, env: { ...env, GIT_SSH_COMMAND: command } }
  // Below the folder that has the package: git starts ssh, and that npx, in the clone.
  const clone = join(cwd, 'clone')
  await run(t, 'git', ['clone', '-q', `ssh://${login.user}@${login.host}${origin}`, clone], remote)
  const head = async (folder: string) => (await run(t, 'git', ['-C', folder, 'rev-parse', 'main'], { env })).stdout
  assert.equal(await head(clone), await head(origin))
  const { stdout, stderr } = await run(t, 'git', ['-C', clone, 'fsck', '--full', '--strict'], { env })
  assert.deepEqual([stdout, stderr], ['', ''])

  await commit(t, clone, 'pushed')
  await run(t, 'git', ['-C', clone, 'push', '-q', 'origin', 'main:pushed'], remote)
  const pushed = await run(t, 'git', ['-C', origin, 'rev-parse', 'pushed'], { env })
  assert.equal(pushed.stdout, await head(clone))
  await noSessionIsLeft()
})

async function makeRepository(scope: Scope, folder: string): Promise<string> {
  await run(scope, 'git', ['init', '-q', '-b', 'main', folder], { env })
  for (const name of ['one', 'two', 'three']) await commit(scope, folder, name)
  return folder
}

/** Of random bytes, which no compression makes less. */
async function commit(scope: Scope, folder: string, name: string): Promise<void> {
  writeFileSync(join(folder, name), randomBytes(2 * MiB))
  await run(scope, 'git', ['-C', folder, 'add', name], { env })
  const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com']
  await run(scope, 'git', [...author, '-C', folder, 'commit', '-q', '-m', name], { env })
}
