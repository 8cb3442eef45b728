/** The keys of the live block, at a real terminal. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { realTest } from '../support/servers.ts'
import { dial, echoed, freePort, serveEcho } from '../support/sockets.ts'
import { TestTerminal } from '../support/terminal.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, serviceArgs({ 'db/test:5432': await serveEcho(scope) }))
const env = {
  TUNNELCTL_GATEWAY: gateway.url,
  TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }),
  TUNNELCTL_CONFIG: '/nowhere',
}
const binary = `'${process.execPath}' '${fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))}'`
const tmux = { programs: ['tmux'], packages: 'tmux' }

realTest('they explain themselves, show connections, give commands, dial again, and end', tmux, async t => {
  const port = await freePort()
  const terminal = await TestTerminal.open(t, 'sh', env)
  await terminal.type(`clear; ${binary} connect --address 127.0.0.1 ${port}:db/test:5432; echo code=$?`, 'Enter')
  await terminal.shows(/^\? keys$/m)
  await terminal.type('?')
  await terminal.shows(/^q quit · r dial again · d connections · c commands · \? less$/m)

  const client = await dial(port)
  await echoed(client, 'hello')
  await terminal.type('d')
  await terminal.shows(/^ {2}#1 {2}db\/test:5432 {2}open \d+ s {2}↑ {5}5 B {2}↓ {5}5 B$/m)
  await terminal.type('c')
  await terminal.shows(new RegExp(`^psql -h 127\\.0\\.0\\.1 -p ${port}$`, 'm'))
  await terminal.type('r')
  await terminal.shows(/^moved to another carrier, as you asked$/m)
  await echoed(client, 'still here')

  await terminal.type('q')
  const closed = await terminal.shows(/code=0/)
  assert.match(closed, /○ closed[\s\S]*1 connection cut/)
  assert.doesNotMatch(closed, /SESSION_CLOSED/)
})

realTest('Ctrl-C and Ctrl-Z are still what they are, and the terminal is as it was', tmux, async t => {
  const terminal = await TestTerminal.open(t, 'bash --norc --noprofile', env)
  await terminal.type(`PS1='> '; clear; ${binary} connect --address 127.0.0.1 0:db/test:5432`, 'Enter')
  await terminal.shows(/^\? keys$/m)
  await terminal.type('C-z')
  await terminal.shows(/Stopped/)
  await terminal.type('stty -a | grep -qw icanon && echo cooked', 'Enter')
  await terminal.shows(/^cooked$/m)
  await terminal.type('clear; fg', 'Enter')
  await terminal.shows(/^\? keys$/m)
  await terminal.type('C-c')
  await terminal.shows(/○ closed/)
  await terminal.type('echo "code=$?"; stty -a | grep -qw isig && echo signals', 'Enter')
  await terminal.shows(/^code=130\nsignals$/m)
})

realTest('in the background nothing stops it, and it draws nothing over what others write', tmux, async t => {
  const port = await freePort()
  const terminal = await TestTerminal.open(t, 'bash --norc --noprofile', env)
  await terminal.type(`${binary} connect --address 127.0.0.1 ${port}:db/test:5432 &`, 'Enter')
  await terminal.shows(/Forwarding from/)
  await echoed(await dial(port), 'from behind')
  assert.doesNotMatch(await terminal.screen(), /●/)
  await terminal.type('clear; jobs', 'Enter')
  assert.doesNotMatch(await terminal.shows(/Running/), /●/)
  await terminal.type('kill %1', 'Enter')
})
