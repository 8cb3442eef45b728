/** Makes the recording: a short use of every kind of message, over relays that write down what passes. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { hostFor, portOf } from '../support/ingress.ts'
import { eventually } from '../support/processes.ts'
import { dial, freePort, outcomeOf, readExactly, serve } from '../support/sockets.ts'
import { metricsOf, type Scope, Site, serviceArgs } from '../support/tunnel.ts'
import { type Conversation, type Exchange, HOST, KEY, type Recording, TOKEN } from './recording.ts'
import { WEB_REQUESTS, webService } from './web.ts'
import { WireReader } from './wire.ts'

/** Time for what is under way to arrive, so that each step is a message of its own. */
const BREATH_MS = 60

interface Passed {
  readonly up: boolean
  readonly bytes: Buffer
}

/** What passed, in the order in which it came: over each connection, and over all of them. */
class RecordingRelay {
  readonly connections: Passed[][] = []
  readonly all: Passed[] = []
  readonly #sockets = new Set<Socket>()

  async start(scope: Scope, target: number): Promise<number> {
    return await serve(scope, client => {
      const passed: Passed[] = []
      this.connections.push(passed)
      const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      for (const [from, to, up] of [
        [client, far, true],
        [far, client, false],
      ] as const) {
        this.#sockets.add(from)
        from.on('error', () => {})
        from.on('close', () => to.destroy())
        from.on('data', bytes => {
          const piece = { up, bytes: Buffer.from(bytes) }
          passed.push(piece)
          this.all.push(piece)
          to.write(bytes)
        })
        from.on('end', () => to.end())
      }
    })
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#sockets.clear()
  }
}

export async function record(scope: Scope): Promise<Recording> {
  const [tcp, udp, web] = [
    await serve(scope, socket => socket.pipe(socket)),
    createSocket('udp4'),
    new RecordingRelay(),
  ]
  udp.on('message', (payload, { port, address }) => udp.send(payload, port, address))
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  scope.after(() => void udp.close())
  const http = createHttpServer(webService).listen(0, '127.0.0.1')
  http.on('upgrade', (_request, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  await once(http, 'listening')
  scope.after(() => {
    http.close()
    http.closeAllConnections()
  })
  const { port: httpPort } = http.address() as { port: number }

  const site = await Site.create(scope)
  const gateway = await site.gateway(['--ingress-domain', 'in.test', '--ingress-public', 'web/fuzz:80'])
  const [forAgent, forConnect] = [new RecordingRelay(), new RecordingRelay()]
  const services = {
    'echo/fuzz:7': tcp,
    'dead/fuzz:9': await freePort(),
    'datagrams/fuzz:53/udp': udp.address().port,
    'web/fuzz:80': await web.start(scope, httpPort),
  }
  const agent = await site.agent(
    { url: `ws://127.0.0.1:${await forAgent.start(scope, portOf(gateway))}` },
    serviceArgs(services),
  )
  const tokenFile = await site.token({
    role: 'connect',
    subject: 'mallory',
    allow: ['echo/fuzz:7', 'dead/fuzz:9', 'datagrams/fuzz:53/udp'],
  })
  const targets = ['echo/fuzz:7', 'dead/fuzz:9', 'denied/fuzz:1', 'datagrams/fuzz:53/udp']
  const client = await site.connect(
    { url: `ws://127.0.0.1:${await forConnect.start(scope, portOf(gateway))}` },
    targets,
    { tokenFile, args: ['--hold-timeout', '20s', '--stats-interval', '0'] },
  )
  await sleep(BREATH_MS)

  const long = await dial(client.port('echo/fuzz:7'))
  await echo(long, 'long')
  await useStreams(targets.map(target => client.port(target)))
  forConnect.cut()
  await client.process.event('resumed')
  await echo(long, 'after the cut')
  await useStreams(targets.map(target => client.port(target)))
  long.end()
  await sleep(BREATH_MS)
  await client.process.kill('SIGTERM')
  await sleep(BREATH_MS)

  const exchanges: Exchange[] = []
  for (const request of WEB_REQUESTS) {
    const before = web.all.length
    const socket = await dial(portOf(gateway))
    socket.resume().write(request.replaceAll(HOST, hostFor('web/fuzz:80')), 'latin1')
    await sleep(3 * BREATH_MS)
    socket.destroy()
    const said = web.all.slice(before).filter(({ up }) => !up)
    exchanges.push({ request: Buffer.from(request, 'latin1'), answer: Buffer.concat(said.map(({ bytes }) => bytes)) })
  }
  await eventually(
    async () => (await metricsOf(agent)).get('streams') === 0,
    () => 'streams are left',
  )
  await agent.process.kill('SIGTERM')
  await sleep(BREATH_MS)
  return {
    connect: forConnect.connections.map(conversationOf),
    agent: forAgent.connections.map(conversationOf),
    web: exchanges,
  }
}

/** An echo, a half-close, a reset, a refused dial, a denied target, and a datagram. */
async function useStreams([tcp = 0, dead = 0, denied = 0, udp = 0]: readonly number[]): Promise<void> {
  const half = await dial(tcp)
  await echo(half, 'x'.repeat(300))
  half.end('last')
  await readExactly(half, 4)
  await sleep(BREATH_MS)
  const reset = await dial(tcp)
  await echo(reset, 'reset')
  reset.resetAndDestroy()
  await sleep(BREATH_MS)
  for (const port of [dead, denied]) {
    await outcomeOf(port, 'nobody reads this')
    await sleep(BREATH_MS)
  }
  const datagrams = createSocket('udp4')
  datagrams.send('a datagram', udp, '127.0.0.1')
  await once(datagrams, 'message')
  datagrams.close()
  await sleep(BREATH_MS)
}

async function echo(socket: Socket, text: string): Promise<void> {
  socket.write(text)
  await readExactly(socket, text.length)
  await sleep(BREATH_MS)
}

function conversationOf(passed: readonly Passed[]): Conversation {
  let head = ''
  const said: { up: boolean; bytes: Buffer }[] = []
  const reader = (up: boolean) =>
    new WireReader({
      head: text => {
        if (up) head = text
        return true
      },
      message: bytes => said.push({ up, bytes }),
      control: () => {},
    })
  const [above, below] = [reader(true), reader(false)]
  for (const { up, bytes } of passed) (up ? above : below).read(bytes)
  head = head
    .replace(/^(Authorization: Bearer ).*$/im, `$1${TOKEN}`)
    .replace(/^(Host: ).*$/im, `$1${HOST}`)
    .replace(/^(Sec-WebSocket-Key: ).*$/im, `$1${KEY}`)
  return { head, said }
}
