/** `connect` without a target: a picker at a terminal, a usage error anywhere else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Process } from '../support/processes.ts'
import { realTest } from '../support/servers.ts'
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

class Screen {
  readonly #socket = join(site.folder, 'tmux')

  async tmux(...args: string[]): Promise<string> {
    const running = new Process('tmux', 'tmux', ['-S', this.#socket, ...args], { env })
    await running.finished()
    return running.stdout
  }

  async shows(what: RegExp): Promise<string> {
    let screen = ''
    for (let look = 0; look < 500; look++) {
      screen = await this.tmux('capture-pane', '-p')
      if (what.test(screen)) return screen
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    return assert.fail(`${what} is not on the screen:\n${screen}`)
  }
}

realTest(
  'one is searched for, picked, opened, and first the next time',
  { programs: ['tmux'], packages: 'tmux' },
  async t => {
    const screen = new Screen()
    await screen.tmux('new-session', '-d', '-x', '80', '-y', '20', 'sh')
    t.after(async () => void (await screen.tmux('kill-server')))
    const start = `clear; '${process.execPath}' '${binary}' connect --address 127.0.0.1`
    await screen.tmux('send-keys', start, 'Enter')
    assert.match(await screen.shows(/wiki/), /Which service\?\n❯ db\/prod:5432 {2}\(via home\)\n/)
    await screen.tmux('send-keys', 'wiki')
    await screen.shows(/❯ wiki\/intranet:http/)
    await screen.tmux('send-keys', 'Enter')
    const opened = await screen.shows(/Forwarding from/)
    assert.match(opened, /^tunnelctl connect --agent office wiki\/intranet:http$/m)
    assert.match(opened, /^Forwarding from 127\.0\.0\.1:\d+ -> wiki\/intranet:http$/m)
    await screen.tmux('send-keys', 'C-c')
    await screen.shows(/○ closed/)
    await screen.tmux('send-keys', start, 'Enter')
    assert.match(await screen.shows(/Which service\?\n❯/), /❯ wiki\/intranet:http {2}\(via office, recent\)/)
    await screen.tmux('send-keys', 'C-c')
    await screen.tmux('send-keys', 'echo code=$?', 'Enter')
    await screen.shows(/code=130/)
  },
)

test('a script is told that it has named no target', async () => {
  const running = site.run('connect', ['connect'], { env })
  assert.equal((await running.finished()).code, 2)
  assert.match(running.stderr, /^tunnelctl: USAGE no target was given \(name one, /)
})
