/** Colours at a real terminal, and how one asks for none. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { realTest } from '../support/servers.ts'
import { freePort, outcomeOf } from '../support/sockets.ts'
import { TestTerminal } from '../support/terminal.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway, serviceArgs({ 'dead/prod:1': 1 }))
const binary = `'${process.execPath}' '${fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))}'`
const env = { TUNNELCTL_GATEWAY: gateway.url, TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }) }
const tmux = { programs: ['tmux'], packages: 'tmux' }

/** What every sequence begins with, by which tmux tells colours: SGR (ECMA-48, 8.3.117). */
const ESCAPE = '\u001b'
const GREEN = `${ESCAPE}[32m`
const RED = `${ESCAPE}[31m`

for (const { name, before = '', flags = '', coloured, live } of [
  { name: 'by default there are colours', coloured: true, live: true },
  { name: '--no-color takes them', flags: '--no-color', coloured: false, live: true },
  { name: 'NO_COLOR takes them', before: 'NO_COLOR=1', coloured: false, live: true },
  { name: 'a dumb terminal has none, and no live block', before: 'TERM=dumb', coloured: false, live: false },
]) {
  realTest(name, tmux, async t => {
    const port = await freePort()
    const command = `${before} ${binary} connect ${flags} --address 127.0.0.1 ${port}:dead/prod:1`
    const terminal = await TestTerminal.open(t, `${command.trim()}; cat`, env)
    await terminal.shows(live ? /^Forwarding[\s\S]*^\? keys$/m : /^Forwarding/m)
    assert.equal(await outcomeOf(port, 'hello'), 'ECONNRESET')
    const screen = await terminal.shows(/REFUSED/)
    assert.equal(/[●→↑]|^ping|^\? keys/m.test(screen), live, screen)
    const painted = await terminal.painted()
    assert.equal(painted.includes(ESCAPE), coloured, painted)
    const coloursBefore = (text: string) => painted.slice(0, painted.indexOf(text)).split('\n').at(-1) ?? ''
    assert.equal(coloursBefore('● ').includes(GREEN), coloured, painted)
    assert.equal(coloursBefore('REFUSED').includes(RED), coloured, painted)
  })
}
