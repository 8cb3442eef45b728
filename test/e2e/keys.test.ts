/** The keys of the live block, at a real terminal. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Marked } from '../support/left-behind.ts'
import { eventually } from '../support/processes.ts'
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
  await terminal.shows(/^Forwarding[\s\S]*^\? keys$/m)
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
  await terminal.type('fg', 'Enter')
  await terminal.shows(/> fg\n[\s\S]*^\? keys$/m)
  await terminal.type('C-c')
  await terminal.shows(/○ closed/)
  await terminal.type('echo "code=$?"; stty -a | grep -qw isig && echo signals', 'Enter')
  await terminal.shows(/^code=130\nsignals$/m)
})

realTest('Ctrl-Z while data flows: after fg there is one block, and the connection goes on', tmux, async t => {
  const port = await freePort()
  const terminal = await TestTerminal.open(t, 'bash --norc --noprofile', env, { columns: 200 })
  await terminal.type(`PS1='> '; clear; ${binary} connect --address 127.0.0.1 ${port}:db/test:5432`, 'Enter')
  await terminal.shows(/^Forwarding[\s\S]*^\? keys$/m)
  const client = await dial(port)
  let echoes = 0
  client.on('data', chunk => {
    echoes += chunk.length
    setTimeout(() => client.write(chunk), 5)
  })
  client.write(Buffer.alloc(1_000))
  const flows = async () => {
    const before = echoes
    await eventually(
      () => echoes > before + 5_000,
      () => `nothing has come back after ${before} bytes`,
    )
  }
  await flows()
  await terminal.type('C-z')
  await terminal.shows(/^● connected[^●]*^\? keys\n+\[1\]\+ +Stopped/m)
  await terminal.type('fg', 'Enter')
  await terminal.shows(/> fg\n[\s\S]*^\? keys$/m)
  await flows()
  // Drawn again some times, it is still one.
  const [, up] = /^● .* up (\d+) s$/m.exec((await terminal.screen()).split('> fg').at(-1) ?? '') ?? []
  const later = await terminal.shows(new RegExp(`> fg\\n[\\s\\S]* up ${Number(up) + 1} s$`, 'm'))
  const [, , ...block] = later.split('> fg').at(-1)?.trimEnd().split('\n') ?? []
  const rows = [/^$/, /^● connected/, /^127\.0\.0\.1:\d+ → db\/test:5432 {3}1 open/, /^ping /, /^\? keys$/]
  assert.equal(block.length, rows.length, later)
  for (const [index, row] of rows.entries()) assert.match(block[index] ?? '', row)
  await terminal.type('C-c')
  await terminal.shows(/1 connection cut/)
})

realTest('the second Ctrl-C does not wait for a gateway that is silent', tmux, async t => {
  const [port, marked] = [await freePort(), new Marked()]
  const terminal = await TestTerminal.open(t, 'bash --norc --noprofile', { ...env, ...marked.env })
  await terminal.type(`PS1='> '; clear; ${binary} connect --address 127.0.0.1 ${port}:db/test:5432`, 'Enter')
  await terminal.shows(/^Forwarding[\s\S]*^\? keys$/m)
  await echoed(await dial(port), 'hello')
  const connect = marked.find(process.execPath)
  process.kill(gateway.process.pid, 'SIGSTOP')
  t.after(() => void process.kill(gateway.process.pid, 'SIGCONT'))
  await terminal.type('C-c')
  await terminal.shows(/○ closed[\s\S]*1 connection cut/)
  await terminal.type('C-c')
  // It would have waited for 2 s.
  await eventually(
    () => !marked.alive().has(connect),
    () => 'it is still there',
    1_500,
  )
  await terminal.type('echo "code=$?"; stty -a | grep -qw icanon && echo cooked', 'Enter')
  await terminal.shows(/^code=130\ncooked$/m)
  assert.equal(await terminal.cursorShown(), true)
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
