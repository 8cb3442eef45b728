/** `connect` without a target: a picker at a terminal, a usage error anywhere else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { realTest } from '../support/servers.ts'
import { TestTerminal } from '../support/terminal.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, ['--service', 'db/prod:5432=127.0.0.1:1', '--service', 'web/prod:http=127.0.0.1:1'])
const office = await site.token({ role: 'agent', agents: ['office'], subject: 'office' })
await site.agent(gateway, ['--service', 'wiki/intranet:http=127.0.0.1:1'], office)
const token = await site.token({ role: 'connect', agents: ['*'] })
const binary = fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))
const env = {
  TUNNELCTL_GATEWAY: gateway.url,
  TUNNELCTL_TOKEN_FILE: token,
  TUNNELCTL_CONFIG: join(site.folder, 'config.yaml'),
  XDG_STATE_HOME: join(site.folder, 'state'),
}

realTest(
  'one is searched for, picked, opened, and first the next time',
  { programs: ['tmux'], packages: 'tmux' },
  async t => {
    const terminal = await TestTerminal.open(t, 'sh', env)
    const start = `clear; '${process.execPath}' '${binary}' connect --address 127.0.0.1`
    await terminal.type(start, 'Enter')
    assert.match(await terminal.shows(/wiki/), /Which service\?\n❯ db\/prod:5432 {2}\(via home\)\n/)
    await terminal.type('wiki')
    await terminal.shows(/❯ wiki\/intranet:http/)
    await terminal.type('Enter')
    const opened = await terminal.shows(/Forwarding from/)
    assert.match(opened, /^tunnelctl connect --agent office wiki\/intranet:http$/m)
    assert.match(opened, /^Forwarding from 127\.0\.0\.1:\d+ -> wiki\/intranet:http$/m)
    await terminal.type('C-c')
    await terminal.shows(/○ closed/)
    await terminal.type(start, 'Enter')
    assert.match(await terminal.shows(/Which service\?\n❯/), /❯ wiki\/intranet:http {2}\(via office, recent\)/)
    await terminal.type('C-c')
    await terminal.type('echo code=$?', 'Enter')
    await terminal.shows(/code=130/)
  },
)

test('a script is told that it has named no target', async () => {
  const running = site.run('connect', ['connect'], { env })
  assert.equal((await running.finished()).code, 2)
  assert.match(running.stderr, /^tunnelctl: USAGE no target was given \(name one, /)
})
