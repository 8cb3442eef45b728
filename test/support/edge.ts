/** What stands between an end and its gateway: an edge that ends TLS and sees each request, and a proxy that one must go through. */
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, type Server, type Socket, connect as tcpConnect } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import type { PairFiles } from '../../src/net/pem.ts'
import type { Scope } from './tunnel.ts'

export interface EdgeRequest {
  /** The request line and its headers, as they came. */
  readonly head: string
  /** SNI. */
  readonly serverName: string | false | null
  /** The common name of the certificate that the client has shown. */
  readonly client: string | undefined
}

export interface Edge {
  readonly port: number
  readonly requests: readonly EdgeRequest[]
}

/** Passes all that comes on to the port `to` of loopback, without TLS. */
export async function serveEdge(
  scope: Scope,
  { cert, key }: PairFiles,
  to: number,
  options: TlsOptions = {},
): Promise<Edge> {
  const requests: EdgeRequest[] = []
  const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key), ...options }, socket => {
    let text = ''
    const far = joined(socket, to)
    socket.on('data', (chunk: Buffer) => {
      far.write(chunk)
      if (text.includes('\r\n\r\n')) return
      text += chunk.toString('latin1')
      const [head = '', rest] = text.split('\r\n\r\n')
      if (rest === undefined) return
      requests.push({ head, serverName: socket.servername ?? null, client: commonNameOf(socket) })
    })
    socket.on('end', () => far.end())
  })
  server.on('tlsClientError', () => {})
  return { port: await listening(scope, server), requests }
}

const commonNameOf = (socket: TLSSocket): string | undefined => {
  const { subject } = socket.getPeerCertificate()
  return subject === undefined ? undefined : String(subject.CN)
}

/** What `to` sends comes to `socket`; the other way is the caller's. */
function joined(socket: Socket, to: number): Socket {
  const far = tcpConnect({ port: to, host: '127.0.0.1' })
  far.pipe(socket)
  far.on('error', () => socket.destroy())
  socket.on('error', () => far.destroy())
  socket.on('close', () => far.destroy())
  return far
}

export interface ConnectProxy {
  readonly port: number
  /** The hosts that it was asked to connect to. */
  readonly asked: readonly string[]
  /** All headers that it was sent, as they came. */
  readonly headers: readonly string[]
}

/** A proxy by CONNECT, through which every host is the port `to` of loopback: it knows `gateway.corp`, which nobody else does. */
export async function serveConnectProxy(scope: Scope, to: number, password?: string): Promise<ConnectProxy> {
  const asked: string[] = []
  const headers: string[] = []
  const wanted = password === undefined ? undefined : `Basic ${Buffer.from(`me:${password}`).toString('base64')}`
  const server = createHttpServer()
  server.on('connect', (request, socket: Socket, head: Buffer) => {
    headers.push(...request.rawHeaders)
    if (request.headers['proxy-authorization'] !== wanted) {
      socket.on('error', () => {})
      return void socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
      )
    }
    asked.push(request.url ?? '')
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    const far = joined(socket, to)
    far.write(head)
    socket.pipe(far)
  })
  return { port: await listening(scope, server), asked, headers }
}

async function listening(scope: Scope, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}
