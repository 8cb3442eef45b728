/** Listening sockets: addresses as users write them, and one clear line when a port is not to be had. */
import { isIPv6, type Server } from 'node:net'
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
    const failed = (error: NodeJS.ErrnoException) => reject(explain(error, at))
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

function explain(error: NodeJS.ErrnoException, at: HostPort): TunnelError {
  const where = formatHostPort(at)
  switch (error.code) {
    case 'EADDRINUSE':
      return new TunnelError('PORT_TAKEN', `cannot listen on ${where}: the port is taken`, { cause: error })
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
