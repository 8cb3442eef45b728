/** Services that say which one they are, and what it takes to hear it from behind a forward. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { eventually } from './processes.ts'
import { serve, within } from './sockets.ts'
import type { Scope } from './tunnel.ts'

/** Answers the first bytes of each connection with a page that has the name of the target on it. */
export const serveName = (scope: Scope, target: string): Promise<number> =>
  serve(scope, socket => {
    socket.once('data', () => socket.end(`HTTP/1.0 200 OK\r\n\r\n${target}\n`))
  })

export async function serveNameByUdp(scope: Scope, target: string): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (_, { port, address }) => socket.send(target, port, address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  scope.after(() => void socket.close())
  return socket.address().port
}

/** What PostgreSQL answers to the question whether it speaks TLS; to a page with a name it is as good as another. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/** @param local `127.0.0.1:5432`, `[::1]:5432` or the path of a socket */
export async function assertReaches(local: string, target: string, answer: RegExp): Promise<void> {
  const said = target.endsWith('/udp') ? await askByUdp(local) : await ask(local, answer)
  assert.match(said, answer, `${local} leads elsewhere than to ${target}`)
}

async function ask(local: string, answer: RegExp): Promise<string> {
  const [, host = '', port] = /^\[?([^/]*?)\]?:(\d+)$/.exec(local) ?? []
  const socket = port === undefined ? connect(local.replace(/^unix:/, '')) : connect(Number(port), host)
  let said = ''
  let over = false
  socket.setEncoding('latin1').on('data', text => (said += text))
  socket.on('error', () => {})
  socket.on('close', () => (over = true))
  socket.write(SSL_REQUEST)
  await eventually(
    () => over || answer.test(said),
    () => `${local} says nothing`,
  )
  socket.destroy()
  return said
}

async function askByUdp(local: string): Promise<string> {
  const socket = createSocket(local.startsWith('[') ? 'udp6' : 'udp4')
  const [, host = '', port] = /^\[?([^/]*?)\]?:(\d+)$/.exec(local) ?? []
  try {
    socket.send('?', Number(port), host)
    const [said] = (await within(once(socket, 'message'), `datagram from ${local}`)) as [Buffer]
    return said.toString()
  } finally {
    socket.close()
  }
}
