/** Pairs of PEM files, and a TLS server that shows them and echoes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { TestContext } from 'node:test'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Certificates } from '../../src/gateway/certificates.ts'
import type { PairFiles } from '../../src/net/pem.ts'
import type { Log } from '../../src/observe/log.ts'
import { makeFolder, removeFolder } from './processes.ts'
import { makeCertificate } from './servers.ts'
import { within } from './sockets.ts'

export function folder(t: TestContext): string {
  const path = makeFolder()
  t.after(() => removeFolder(path))
  return path
}

export const pair = (t: TestContext, names: readonly string[]): Promise<PairFiles> =>
  makeCertificate(t, folder(t), names)

/** Tells of each reload, and of each that failed. */
export function recorder(): { log: Log; lines: string[] } {
  const lines: string[] = []
  const write = (event: string) => void lines.push(event)
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log }
  return { log, lines }
}

export async function serve(t: TestContext, certificates: Certificates): Promise<number> {
  const server: Server = createServer(certificates.serverOptions)
  certificates.follow(server)
  server.removeAllListeners('secureConnection').on('secureConnection', socket => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : assert.fail()
}

export async function dial(t: TestContext, port: number, servername?: string): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(servername && { servername }) })
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  await within(once(socket, 'secureConnect'), 'handshake')
  return socket
}

export const namesOf = (certificate: PeerCertificate): string => certificate.subjectaltname ?? ''

export async function shown(t: TestContext, port: number, servername?: string): Promise<string> {
  const socket = await dial(t, port, servername)
  const names = namesOf(socket.getPeerCertificate())
  socket.destroy()
  return names
}
