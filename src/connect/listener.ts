/** Local listeners of `connect`: on both loopbacks, on one address, or on a Unix socket. */
import { createServer, type Server, type Socket } from 'node:net'
import { asTunnelError } from '../errors.ts'
import { formatHostPort, listen, listenPath } from '../net/listen.ts'

export interface ListenAt {
  /** Undefined: both loopbacks. */
  readonly address?: string
  /** Undefined: `preferred` if it can be had, else any free one. 0: any free one. */
  readonly port?: number
  readonly preferred?: number
  /** A Unix socket, in place of address and port. */
  readonly path?: string
}

const KEEP_ALIVE_MS = 30_000
/** How often another free port is tried when only one of the two loopbacks has it. */
const PORT_TRIES = 10

export class Listener {
  /** As printed; the IPv4 loopback first. A Unix socket is `unix:PATH`. */
  locals: readonly string[] = []
  readonly #accept: (socket: Socket) => void
  #servers: readonly Server[] = []

  /** @param accept gets each connection; it is the one to listen for its errors, at once */
  constructor(accept: (socket: Socket) => void) {
    this.#accept = accept
  }

  /**
   * Binds. A port that was asked for is that port or an error.
   * @throws TunnelError PORT_TAKEN, LISTEN
   */
  async open({ address, port, preferred = 0, path }: ListenAt): Promise<void> {
    if (path !== undefined) return await this.#bindPath(path)
    const hosts = address === undefined || address === 'localhost' ? ['127.0.0.1', '::1'] : [address]
    if (port !== undefined && port !== 0) return await this.#bind(hosts, port)
    const own = port === undefined ? preferred : 0
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#bind(hosts, attempt === 1 ? own : 0)
      } catch (thrown) {
        if (attempt === PORT_TRIES || (hosts.length === 1 && own === 0)) throw thrown
      }
    }
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }

  /** The first host decides the port; a second that this machine does not have is left out. */
  async #bind(hosts: readonly string[], port: number): Promise<void> {
    const servers: Server[] = []
    const locals: string[] = []
    let bound = port
    try {
      for (const host of hosts) {
        const server = this.#createServer()
        try {
          await listen(server, { host, port: bound })
        } catch (thrown) {
          if (servers.length > 0 && asTunnelError(thrown).code === 'LISTEN') continue
          throw thrown
        }
        servers.push(server)
        const at = server.address()
        if (typeof at === 'object' && at !== null) bound = at.port
        locals.push(formatHostPort({ host, port: bound }))
      }
    } catch (thrown) {
      for (const server of servers) server.close()
      throw thrown
    }
    this.#servers = servers
    this.locals = locals
  }

  async #bindPath(path: string): Promise<void> {
    const server = this.#createServer()
    await listenPath(server, path)
    this.#servers = [server]
    this.locals = [`unix:${path}`]
  }

  #createServer(): Server {
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      this.#accept,
    )
    // A failing accept (EMFILE) must not end the process; the next one may work.
    server.on('error', () => {})
    return server
  }
}
