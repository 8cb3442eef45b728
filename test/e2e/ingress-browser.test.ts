/** A real browser: it logs in by the one-time code, opens a WebSocket and an EventSource, and goes on when the agent's connection is cut. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'
import type { Browser } from 'playwright-core'
import { WebSocketServer } from 'ws'
import { findProgram, makeCertificate, realTest } from '../support/servers.ts'
import { ToxicRelay } from '../support/toxics.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const needed = { programs: ['chromium', 'openssl'], packages: 'chromium openssl' }
const DOMAIN = 'apps.localhost'
const HOST = `page--test--80.${DOMAIN}`

/** The page: it says what it hears. */
const PAGE = `<!doctype html><title>page</title><ul id=log></ul><script>
const say = text => { const li = document.createElement('li'); li.textContent = text; log.append(li) }
const socket = new WebSocket('wss://' + location.host + '/socket')
socket.onopen = () => say('socket open')
socket.onmessage = ({ data }) => say('socket ' + data)
socket.onclose = ({ code, reason }) => say('socket closed ' + code + ' ' + reason)
const events = new EventSource('/events')
events.onmessage = ({ data }) => say('event ' + data)
say('cookie ' + document.cookie)
</script>`

async function servePage(): Promise<{ port: number; cookies: string[]; event: (text: string) => void }> {
  const cookies: string[] = []
  const listeners = new Set<import('node:http').ServerResponse>()
  const server = createServer((request, response) => {
    cookies.push(request.headers.cookie ?? '')
    if (request.url !== '/events') return void response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: hello\n\n')
    listeners.add(response)
  })
  const sockets = new WebSocketServer({ server, path: '/socket', perMessageDeflate: true })
  sockets.on('connection', (socket, request) => {
    cookies.push(request.headers.cookie ?? '')
    socket.on('message', data => socket.send(`echo ${String(data)}`))
    socket.send('first')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.after(() => {
    sockets.close()
    server.closeAllConnections()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    cookies,
    event: text => {
      for (const each of listeners) each.write(`data: ${text}\n\n`)
    },
  }
}

async function launch(): Promise<Browser> {
  const { chromium } = await import('playwright-core')
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']
  const executablePath = findProgram('chromium')
  assert.ok(executablePath)
  return await chromium.launch({ executablePath, args: [...args, '--disable-component-update', '--disable-sync'] })
}

realTest('a page logs in once, talks both ways, and does not notice that a carrier was cut', needed, async t => {
  const site = await Site.create(scope)
  const page = await servePage()
  const { cert, key } = await makeCertificate(scope, site.folder, ['DNS:localhost', `DNS:*.${DOMAIN}`])
  const gateway = await site.gateway(['--tls-cert', cert, '--tls-key', key, '--ingress-domain', DOMAIN])
  const relay = await ToxicRelay.start(scope, Number(new URL(gateway.url).port))
  const agent = await site.agent({ url: `wss://localhost:${relay.port}` }, [
    ...['--ca-file', cert, '--service', `page/test:80=127.0.0.1:${page.port}`],
  ])
  const token = await site.token({ role: 'connect', allow: ['page/test:80'] })
  const open = site.run('open', [
    'open',
    'page/test:80',
    '--gateway',
    gateway.url.replace('127.0.0.1', 'localhost'),
    '--token-file',
    token,
    '--ca-file',
    cert,
  ])
  assert.equal((await open.finished()).code, 0, open.describe())
  const address = open.stdout.trim()
  assert.match(address, new RegExp(`^https://${HOST}:\\d+/\\.tunnelctl/login\\?code=`))

  const browser = await launch()
  t.after(() => browser.close())
  const tab = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  const stranger = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  const root = address.replace(/\/\.tunnelctl.*/, '/')
  assert.equal((await stranger.goto(root))?.status(), 403)
  assert.match((await stranger.textContent('body')) ?? '', /tunnelctl open/)

  await tab.goto(address)
  assert.equal(tab.url(), root)
  const says = (text: string) => tab.waitForFunction(`document.body.innerText.includes(${JSON.stringify(text)})`)
  for (const text of ['socket open', 'socket first', 'event hello']) await says(text)
  // What logs in is no business of the page, nor of the service.
  assert.match((await tab.textContent('#log')) ?? '', /cookie (?!.)|cookie socket|cookie event/)
  assert.deepEqual(
    page.cookies.filter(cookie => cookie !== ''),
    [],
  )
  assert.equal((await stranger.goto(address))?.status(), 403, 'a code is good once')

  const since = agent.process.events.length
  relay.reset()
  await agent.process.event('registered', undefined, since)
  await tab.evaluate('socket.send("after the cut")')
  await says('socket echo after the cut')
  page.event('after the cut')
  await says('event after the cut')
  await tab.evaluate('socket.close(4001, "done")')
  await says('socket closed 4001 done')
})
