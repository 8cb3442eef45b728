/** Listening sockets: addresses as users write them, and one clear line when a port is not to be had. */
import { chmod, lstat, rm } from 'node:fs/promises'
import { connect, isIPv6, type Server } from 'node:net'
import { TunnelError } from '../errors.ts'

export interface HostPort {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/**
 * @param text `HOST:PORT`, `[IPv6]:PORT`, or `:PORT` for every address
 * @throws TunnelError USAGE
 */
export function parseHostPort(text: string): HostPort {
  const [, v6, name, port] = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text) ?? []
  if (port === undefined || Number(port) > 65_535 || (v6 !== undefined && !isIPv6(v6))) {
    throw new TunnelError('USAGE', `${JSON.stringify(text)} is not an address`, {
      hint: 'write it as HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080',
    })
  }
  return { host: v6 ?? (name || '::'), port: Number(port) }
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Binds `server` and resolves with the address it got, as text.
 * @throws TunnelError PORT_TAKEN, or LISTEN for any other reason
 */
export function listen(server: Server, at: HostPort): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(explain(error, formatHostPort(at), 'the port is taken'))
    server.once('error', failed)
    server.listen({ host: at.host, port: at.port }, () => {
      server.off('error', failed)
      const bound = server.address()
      resolve(
        formatHostPort(typeof bound === 'object' && bound !== null ? { host: bound.address, port: bound.port } : at),
      )
    })
  })
}

/**
 * Binds `server` to a Unix socket that this user alone may connect to. A socket that a dead process has left there is replaced; the
 * server removes its own when it closes.
 * @throws TunnelError PORT_TAKEN, or LISTEN for any other reason
 */
export async function listenPath(server: Server, path: string): Promise<void> {
  try {
    await bindPath(server, path)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isAbandoned(path)))
      throw explain(thrown as NodeJS.ErrnoException, path, 'the socket is in use')
    await rm(path, { force: true })
    await bindPath(server, path).catch((error: NodeJS.ErrnoException) => {
      throw explain(error, path, 'the socket is in use')
    })
  }
  await chmod(path, 0o600)
}

function bindPath(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Nobody answers at a socket whose process is gone, nor at a file that is none. */
async function isAbandoned(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSocket() !== true) return false
  return await new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}

function explain(error: NodeJS.ErrnoException, where: string, taken: string): TunnelError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new TunnelError('PORT_TAKEN', `cannot listen on ${where}: ${taken}`, { cause: error })
    case 'ENOENT':
      return new TunnelError('LISTEN', `cannot listen on ${where}: there is no such folder`, { cause: error })
    case 'EACCES':
      return new TunnelError('LISTEN', `cannot listen on ${where}: this user may not bind the port`, { cause: error })
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new TunnelError('LISTEN', `cannot listen on ${where}: this machine does not have the address`, {
        cause: error,
      })
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError('LISTEN', `cannot listen on ${where}: the name does not resolve`, { cause: error })
    default:
      return new TunnelError('LISTEN', `cannot listen on ${where}: ${error.code ?? error.message}`, { cause: error })
  }
}
