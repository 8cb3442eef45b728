/** What a person sees at a real terminal, held to screens in ./screens. */
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { assertScreen } from '../support/golden.ts'
import { realTest } from '../support/servers.ts'
import { dial, freePort, readExactly, serveEcho } from '../support/sockets.ts'
import { TestTerminal } from '../support/terminal.ts'
import { ToxicRelay } from '../support/toxics.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const echo = await serveEcho(scope)
const long = 'reconciliation-worker/payments-production:8443'
await site.agent(gateway, serviceArgs({ 'db/prod:5432': echo, 'api/prod:443': echo, [long]: echo, 'dead/prod:1': 1 }))
const office = await site.token({ role: 'agent', agents: ['office'], subject: 'office' })
const more = ['cache/prod:6379', 'grafana/monitoring:http', 'mail/office:587', 'print/office:631', 'wiki/intranet:http']
await site.agent(gateway, serviceArgs(Object.fromEntries(more.map(target => [target, 1]))), office)

// With a latency the pings have two digits each time.
const relay = await ToxicRelay.start(scope, Number(gateway.address.split(':').at(-1)))
relay.set({ latencyMs: 10 })
const binary = `'${process.execPath}' '${fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))}'`
const env = {
  TUNNELCTL_GATEWAY: `ws://127.0.0.1:${relay.port}`,
  TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect', agents: ['*'] }),
  XDG_STATE_HOME: site.folder,
}
const tmux = { programs: ['tmux'], packages: 'tmux' }

for (const columns of [60, 80, 200]) {
  realTest(`the live block at ${columns} columns, and what stays of it`, tmux, async t => {
    const ports = await Promise.all(Array.from({ length: 4 }, freePort))
    const [db = 0, api = 0, worker = 0, dead = 0] = ports
    const targets = [`${db}:db/prod:5432`, `${api}:api/prod:443`, `${worker}:${long}`, `${dead}:dead/prod:1`]
    const terminal = await TestTerminal.open(t, 'sh', env, { columns, rows: 24 })
    const command = `${binary} connect --agent home --address 127.0.0.1 ${targets.join(' ')}`
    await terminal.type(`clear; ${command}; echo code=$?; cat`, 'Enter')
    await terminal.shows(/-> dead\/prod:1\n[\s\S]*^\? keys$/m)
    const bytes = Buffer.alloc(1_250_000)
    const busy = await dial(db)
    busy.write(bytes)
    await readExactly(busy, bytes.length)
    await dial(api)
    const refused = await dial(dead)
    refused.resume()
    await terminal.shows(/REFUSED/)
    await terminal.type('d')
    await terminal.type('?')
    await assertScreen(
      terminal,
      `live-${columns}`,
      /db\/prod[^\n]* 0 B\/s[^\n]* 0 B\/s\n[\s\S]* 0 open[^\n]*\n *#1[\s\S]*#2[\s\S]*less/,
    )
    await terminal.type('C-c')
    await assertScreen(terminal, `closed-${columns}`, /code=130/)
  })

  realTest(`the picker at ${columns} columns, and what it has found`, tmux, async t => {
    const terminal = await TestTerminal.open(t, 'sh', env, { columns, rows: 24 })
    await terminal.type(`clear; ${binary} connect`, 'Enter')
    await assertScreen(terminal, `picker-${columns}`, /wiki/)
    await terminal.type('prod')
    await assertScreen(terminal, `picker-search-${columns}`, /\? prod\n(?![\s\S]*wiki)/)
    await terminal.type('xyz')
    await assertScreen(terminal, `picker-nothing-${columns}`, /No results/)
  })
}
