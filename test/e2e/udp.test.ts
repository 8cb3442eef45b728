/** UDP through three real processes: datagrams keep their boundaries, senders their answers, and silence ends a flow. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { Process } from '../support/processes.ts'
import { realTest, start } from '../support/servers.ts'
import { freePort, within } from '../support/sockets.ts'
import { startTunnel } from '../support/tunnel.ts'

const scope = { after }

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  after(() => socket.close())
  return socket
}

/** Sends back what it gets, and knows how many senders it has seen. */
const echo = await bound()
const senders = new Set<number>()
echo.on('message', (payload, { port, address }) => {
  senders.add(port)
  echo.send(payload, port, address)
})
const dns = await freePort()
const tunnel = await startTunnel(scope, {
  services: {
    'echo/test:7/udp': echo.address().port,
    'dead/test:9/udp': await freePort(),
    'dns/kube-system:53/udp': dns,
  },
  connect: { args: ['--udp-idle-timeout', '1s'] },
})

async function answerTo(socket: Socket, payload: Buffer, port = tunnel.port('echo/test:7/udp')): Promise<Buffer> {
  const answer = once(socket, 'message') as Promise<[Buffer]>
  socket.send(payload, port, '127.0.0.1')
  return (await within(answer, `an answer of ${payload.length} bytes`))[0]
}

test('datagrams of every size come back whole: empty, 9000 bytes, and as long as UDP allows', async () => {
  const client = await bound()
  for (const size of [1, 0, 512, 9_000, 65_507]) {
    const payload = Buffer.alloc(size, size % 251)
    assert.deepEqual(await answerTo(client, payload), payload, `${size} bytes`)
  }
})

test('datagrams that are sent at once arrive one by one, in their order', async () => {
  const client = await bound()
  const answers: string[] = []
  const all = new Promise<void>(resolve => {
    client.on('message', payload => {
      answers.push(String(payload))
      if (answers.length === 50) resolve()
    })
  })
  for (let index = 0; index < 50; index++) client.send(`datagram ${index}`, tunnel.port('echo/test:7/udp'), '127.0.0.1')
  await within(all, 'fifty answers')
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, (_, index) => `datagram ${index}`),
  )
})

test('each sender has a flow of its own, and gets its own answers', async () => {
  senders.clear()
  const clients = await Promise.all(Array.from({ length: 5 }, bound))
  const answers = await Promise.all(clients.map((client, index) => answerTo(client, Buffer.from(`from ${index}`))))
  assert.deepEqual(answers.map(String), ['from 0', 'from 1', 'from 2', 'from 3', 'from 4'])
  assert.equal(senders.size, 5)
})

test('a flow ends when it is silent, and its sender gets another', async () => {
  const client = await bound()
  const since = tunnel.connect.events.length
  await answerTo(client, Buffer.from('one'))
  const opened = await tunnel.connect.process.event('open', event => event.target === 'echo/test:7/udp', since)
  const closed = await tunnel.connect.process.event('close', event => event.stream === opened.stream, since)
  assert.deepEqual([closed.code, closed.bytesUp, closed.bytesDown], ['OK', 5, 5])
  assert.equal(String(await answerTo(client, Buffer.from('two'))), 'two')
})

test('a port where nothing listens is told once, not with every datagram', async () => {
  const client = await bound()
  const since = tunnel.connect.events.length
  const port = tunnel.port('dead/test:9/udp')
  client.send('anybody?', port, '127.0.0.1')
  const error = await tunnel.connect.process.event('error', event => event.target === 'dead/test:9/udp', since)
  assert.equal(error.code, 'REFUSED')
  for (let index = 0; index < 20; index++) client.send('anybody?', port, '127.0.0.1')
  // The echo is behind them, so they have been read.
  await answerTo(client, Buffer.from('beside'))
  const errors = tunnel.connect.events.filter(({ event, target }) => event === 'error' && target === 'dead/test:9/udp')
  assert.equal(errors.length, 1)
})

test('flows outlive the loss of the carrier', async () => {
  const client = await bound()
  await answerTo(client, Buffer.from('before'))
  const since = tunnel.connect.events.length
  process.kill(tunnel.connect.process.pid, 'SIGHUP')
  await tunnel.connect.process.event('moved', undefined, since)
  assert.equal(String(await answerTo(client, Buffer.from('after'))), 'after')
})

const dnsmasq = { programs: ['dnsmasq', 'dig'], packages: 'dnsmasq-base bind9-dnsutils' }
realTest('dig asks dnsmasq', dnsmasq, async t => {
  const names = ['--address=/api.prod.svc.cluster.local/10.1.2.3', `--txt-record=long.test,${'x'.repeat(200)}`]
  start(t, 'dnsmasq', [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--conf-file=/dev/null',
    `--port=${dns}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--user=',
    '--pid-file=',
    ...names,
  ])
  const port = String(tunnel.port('dns/kube-system:53/udp'))
  const dig = async (...args: string[]) => {
    const running = new Process('dig', 'dig', ['@127.0.0.1', '-p', port, '+short', '+tries=20', '+time=1', ...args])
    assert.equal((await running.finished()).code, 0, running.describe())
    return running.stdout.trim()
  }
  assert.equal(await dig('api.prod.svc.cluster.local'), '10.1.2.3')
  assert.match(await dig('TXT', 'long.test', '+bufsize=4096'), /^"x{200}"$/)
})
