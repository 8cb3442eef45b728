/** A front door on a free port of loopback, with servers behind it that say who they take their client for. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { BlockList, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { clientAddress } from '../../src/gateway/ingress/client-address.ts'
import { FrontDoor, type FrontDoorOptions } from '../../src/gateway/ingress/front-door.ts'
import type { Log } from '../../src/observe/log.ts'
import { VirtualClock } from './clock.ts'
import { makeFolder } from './processes.ts'
import { makeCertificate } from './servers.ts'
import { dial, within } from './sockets.ts'
import type { Scope } from './tunnel.ts'

export interface Pem {
  readonly cert: string
  readonly key: string
}

let made: Promise<Pem> | undefined

/** One for all tests of a process: each needs openssl. */
export function pem(scope: Scope): Promise<Pem> {
  made ??= makeCertificate(scope, makeFolder()).then(({ cert, key }) => ({
    cert: readFileSync(cert, 'utf8'),
    key: readFileSync(key, 'utf8'),
  }))
  return made
}

/** Answers who asked, from where, and with how much. */
const answer: RequestListener = async (request, response) => {
  let bytes = 0
  for await (const chunk of request) bytes += (chunk as Buffer).length
  const server = 'encrypted' in request.socket ? 'https' : 'http'
  response.setHeader('Connection', 'close')
  response.end(JSON.stringify({ server, from: clientAddress(request.socket), host: request.headers.host, bytes }))
}

export const plainServer = (): Server => withUpgrades(createServer(answer))
export const tlsServer = (pair: Pem): TlsServer => withUpgrades(createTlsServer(pair, answer))

/** Upgrades say who the client is, and then echo. */
function withUpgrades<S extends Server | TlsServer>(server: S): S {
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket: Socket, head: Buffer) => {
    sockets.handleUpgrade(request, socket, head, upgraded => {
      upgraded.on('message', data => upgraded.send(`${clientAddress(socket)}: ${String(data)}`))
    })
  })
  server.on('clientError', (_error, socket: Duplex) => socket.destroy())
  return server
}

export interface Running {
  readonly door: FrontDoor
  readonly port: number
  readonly clock: VirtualClock
  /** What was logged: `warn refused PROTOCOL`. */
  readonly lines: string[]
  /** A connection that has already sent these bytes. */
  readonly dial: (first?: Buffer) => Promise<Socket>
}

export const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')

export async function openDoor(scope: Scope, options: Omit<FrontDoorOptions, 'clock' | 'log'>): Promise<Running> {
  const clock = new VirtualClock()
  const lines: string[] = []
  const write = (level: string) => (event: string, fields?: object) =>
    void lines.push(`${level} ${event} ${(fields as { error: { code: string } }).error.code}`)
  const log: Log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => log,
  }
  const door = new FrontDoor({ ...options, clock, log })
  const address = await door.listen({ host: '127.0.0.1', port: 0 })
  const port = Number(address.split(':').at(-1))
  const dialled: Socket[] = []
  const dialWith = async (first?: Buffer) => {
    const socket = await dial(port)
    dialled.push(socket)
    if (first !== undefined) socket.write(first)
    return socket
  }
  scope.after(async () => {
    const closed = door.close()
    for (const socket of dialled) socket.destroy()
    for (const server of [options.http, options.https]) server?.closeAllConnections()
    await within(closed, 'end of every connection')
  })
  return { door, port, clock, lines, dial: dialWith }
}

export interface Answer {
  readonly server: string
  readonly from: string
  readonly host: string
  readonly bytes: number
}

/** What the server has answered, as HTTP/1.1 with a body of JSON. */
export function parseAnswer(text: Buffer): Answer {
  const [head = '', body = ''] = text.toString().split('\r\n\r\n')
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`answered ${JSON.stringify(head)}`)
  return JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '') as Answer
}

export async function tlsOver(socket: Duplex, options: { servername?: string; ALPNProtocols?: string[] }) {
  const client: TLSSocket = connectTls({ ...options, socket, rejectUnauthorized: false })
  client.on('error', () => {})
  await within(once(client, 'secureConnect'), 'handshake')
  return client
}
