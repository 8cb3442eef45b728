/**
 * A local proxy to every service that the token allows: SOCKS5 and HTTP CONNECT at one port, told apart by their first byte.
 * Names are those of the cluster: `api.prod`, `api.prod.svc.cluster.local`, or `api` in the namespace that was given.
 */
import type { Socket } from 'node:net'
import { asTunnelError, TunnelError } from '../errors.ts'
import { parseTarget, type Target } from '../net/target.ts'
import { Carried, type CarriedOptions } from './carried.ts'
import { type Dialogue, DialogueError, type ProxyRequest } from './dialogue.ts'
import type { ForwardSnapshot, StreamSnapshot } from './events.ts'
import { HttpConnect } from './http-connect.ts'
import { type ListenAt, Listener } from './listener.ts'
import { SOCKS_VERSION, Socks5 } from './socks5.ts'

/** A proxy is asked for beside forwards. */
export interface ProxyAt {
  readonly proxy: ListenAt
  /** Of names that have none. */
  readonly namespace?: string | undefined
}

export interface ProxyForwardOptions extends CarriedOptions {
  readonly at: ProxyAt
}

/** A request is a name and a port; browsers add headers. */
const MAX_REQUEST_BYTES = 16 * 1024
const REQUEST_TIMEOUT_MS = 10_000
/** A client that was refused may take this long to hear it. */
const LINGER_MS = 2_000
/** Clients that have connected and not asked for anything yet. */
const MAX_ASKING = 1_024

export class ProxyForward {
  readonly target = 'socks5'
  readonly #options: ProxyForwardOptions
  readonly #carried: Carried
  readonly #listener: Listener
  readonly #asking = new Set<Socket>()

  constructor(options: ProxyForwardOptions) {
    this.#options = options
    this.#carried = new Carried(options)
    this.#listener = new Listener(socket => this.#accept(socket))
  }

  get locals(): readonly string[] {
    return this.#listener.locals
  }

  /** @throws TunnelError PORT_TAKEN, LISTEN */
  async listen(): Promise<void> {
    await this.#listener.open(this.#options.at.proxy)
  }

  snapshot(): ForwardSnapshot {
    return { local: this.locals[0] ?? '', target: this.target, ...this.#carried.figures }
  }

  streams(): StreamSnapshot[] {
    return this.#carried.streams()
  }

  close(): void {
    this.#listener.close()
    for (const socket of this.#asking) socket.destroy()
    this.#carried.close()
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#asking.size >= MAX_ASKING) {
      socket.destroy()
      return
    }
    this.#asking.add(socket)
    const cancel = this.#options.clock.after(REQUEST_TIMEOUT_MS, () => socket.destroy())
    const done = () => {
      cancel()
      this.#asking.delete(socket)
      socket.off('data', read)
      socket.off('close', done)
      socket.off('end', left)
    }
    const left = () => socket.destroy()
    let input: Buffer = Buffer.alloc(0)
    let dialogue: Dialogue | undefined
    const read = (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      dialogue ??= input[0] === SOCKS_VERSION ? new Socks5() : new HttpConnect()
      try {
        const request = dialogue.read(input, bytes => socket.write(bytes))
        if (request === undefined && input.length <= MAX_REQUEST_BYTES) return
        done()
        if (request === undefined) socket.destroy()
        else this.#serve(socket, dialogue, request)
      } catch (thrown) {
        if (!(thrown instanceof DialogueError)) throw thrown
        done()
        this.#report(new TunnelError('BAD_TARGET', `proxy: ${thrown.message}`))
        say(socket, thrown.answer)
      }
    }
    socket.on('data', read)
    socket.on('close', done)
    socket.on('end', left)
  }

  #serve(socket: Socket, dialogue: Dialogue, { host, port, rest }: ProxyRequest): void {
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    let target: Target
    try {
      target = parseTarget(`${host.toLowerCase()}:${port}`, this.#options.at.namespace)
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.#report(error)
      return say(socket, dialogue.failed(error))
    }
    this.#carried.accept(socket, target, {
      opened: () => socket.write(dialogue.opened()),
      failed: error => say(socket, dialogue.failed(error)),
    })
  }

  #report({ code, message, hint }: TunnelError): void {
    this.#options.sink.event({ event: 'error', code, message, hint })
  }
}

/** The last words to a client. What it still sends is read, or the kernel would reset the connection before they arrive. */
function say(socket: Socket, bytes: Buffer): void {
  if (socket.destroyed) return
  socket.on('end', () => socket.destroy())
  socket.setTimeout(LINGER_MS, () => socket.destroy())
  socket.end(bytes)
  socket.resume()
}
