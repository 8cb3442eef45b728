/**
 * A forward for UDP: each local sender, by address and port, is a flow of its own, with a stream of its own to the target. A flow
 * ends when nothing has come through it for a while.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { DatagramReader, encodeDatagram, MAX_WAITING_BYTES } from '../net/datagram.ts'
import { formatHostPort } from '../net/listen.ts'
import { type Forward, formatTarget } from '../net/target.ts'
import { giveBack } from '../slab.ts'
import { Account } from './account.ts'
import type { CarriedOptions } from './carried.ts'
import type { ForwardSnapshot, StreamSnapshot } from './events.ts'

export interface UdpForwardOptions extends CarriedOptions {
  readonly forward: Forward
  /** A flow through which nothing came for so long is over. */
  readonly idleMs: number
}

interface Flow {
  readonly stream: Stream
  lastAt: number
}

const MAX_FLOWS = 1_024
/** A sender whose flow was refused is not heard for this long: every datagram would ask, and be refused, again. */
const REFUSED_MS = 5_000
const MAX_REFUSED = 1_024
const LOOKS_PER_IDLE = 4
const PORT_TRIES = 10

export class UdpForward {
  readonly target: string
  locals: readonly string[] = []
  readonly #options: UdpForwardOptions
  readonly #account: Account
  readonly #flows = new Map<string, Flow>()
  /** Until when. */
  readonly #refused = new Map<string, number>()
  #sockets: readonly Socket[] = []
  #cancelLook = () => {}

  constructor(options: UdpForwardOptions) {
    this.#options = options
    this.target = formatTarget(options.forward.target)
    this.#account = new Account(options.sink, options.clock)
  }

  /**
   * Binds as a forward for TCP does.
   * @throws TunnelError PORT_TAKEN, LISTEN, USAGE for a Unix socket
   */
  async listen(): Promise<void> {
    const { address, port, path, target } = this.#options.forward
    if (path !== undefined)
      throw new TunnelError('USAGE', 'a Unix socket has no datagrams here', { hint: 'give a port' })
    const hosts = address === undefined || address === 'localhost' ? ['127.0.0.1', '::1'] : [address]
    const preferred = port ?? (typeof target.port === 'number' ? target.port : 0)
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#bind(hosts, attempt === 1 ? preferred : 0)
        break
      } catch (thrown) {
        if (attempt === PORT_TRIES || (port !== undefined && port !== 0)) throw thrown
      }
    }
    this.#look()
  }

  snapshot(): ForwardSnapshot {
    return { local: this.locals[0] ?? '', target: this.target, ...this.#account.figures }
  }

  streams(): StreamSnapshot[] {
    return this.#account.streams()
  }

  close(): void {
    this.#cancelLook()
    for (const socket of this.#sockets) socket.close()
    this.#sockets = []
    this.#account.close()
  }

  async #bind(hosts: readonly string[], port: number): Promise<void> {
    const sockets: Socket[] = []
    let bound = port
    try {
      for (const host of hosts) {
        try {
          const socket = await bindUdp(host, bound)
          bound = socket.address().port
          sockets.push(socket)
        } catch (thrown) {
          if (sockets.length > 0 && asTunnelError(thrown).code === 'LISTEN') continue
          throw thrown
        }
      }
    } catch (thrown) {
      for (const socket of sockets) socket.close()
      throw thrown
    }
    this.#sockets = sockets
    this.locals = sockets.map(socket => formatHostPort({ host: socket.address().address, port: bound }))
    for (const socket of sockets) socket.on('message', (payload, from) => this.#heard(socket, payload, from))
  }

  #heard(socket: Socket, payload: Buffer, from: RemoteInfo): void {
    const sender = `${from.address} ${from.port}`
    const flow = this.#flows.get(sender) ?? this.#open(socket, sender, from)
    if (flow === undefined) return
    flow.lastAt = this.#options.clock.now()
    if (!flow.stream.writableEnded && flow.stream.writableLength <= MAX_WAITING_BYTES) {
      flow.stream.write(encodeDatagram(payload))
    }
  }

  /** Undefined when the datagram is lost: datagrams are not held for a tunnel that is away. */
  #open(socket: Socket, sender: string, from: RemoteInfo): Flow | undefined {
    const { uplink, clock, forward } = this.#options
    const now = clock.now()
    if (!uplink.serves || this.#flows.size >= MAX_FLOWS || now < (this.#refused.get(sender) ?? 0)) return undefined
    this.#refused.delete(sender)
    let stream: Stream
    try {
      stream = uplink.open(forward.target)
    } catch {
      return undefined
    }
    const flow = { stream, lastAt: now }
    this.#flows.set(sender, flow)
    this.#account.track(stream, this.target)
    const reader = new DatagramReader(payload => {
      flow.lastAt = clock.now()
      if (this.#sockets.includes(socket)) socket.send(payload, from.port, from.address)
    })
    stream.on('data', (chunk: Buffer) => {
      reader.read(chunk)
      giveBack(chunk)
    })
    stream.on('end', () => stream.end())
    stream.on('error', () => {
      if (this.#refused.size < MAX_REFUSED) this.#refused.set(sender, clock.now() + REFUSED_MS)
    })
    stream.on('close', () => {
      if (this.#flows.get(sender) === flow) this.#flows.delete(sender)
    })
    return flow
  }

  readonly #look = (): void => {
    const { clock, idleMs } = this.#options
    const now = clock.now()
    for (const [sender, until] of this.#refused) if (until <= now) this.#refused.delete(sender)
    for (const [sender, { stream, lastAt }] of this.#flows) {
      if (now - lastAt < idleMs) continue
      this.#flows.delete(sender)
      stream.end()
    }
    this.#cancelLook = clock.after(idleMs / LOOKS_PER_IDLE, this.#look)
  }
}

function bindUdp(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const v6 = host.includes(':')
    const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', ipv6Only: v6 })
    socket.on('error', () => {})
    const failed = (cause: NodeJS.ErrnoException) => {
      socket.close()
      const where = formatHostPort({ host, port })
      if (cause.code === 'EADDRINUSE')
        return reject(new TunnelError('PORT_TAKEN', `cannot listen on ${where}: the port is taken`, { cause }))
      reject(new TunnelError('LISTEN', `cannot listen on ${where}: ${cause.code ?? cause.message}`, { cause }))
    }
    socket.once('error', failed)
    socket.bind({ port, address: host }, () => {
      socket.off('error', failed)
      resolve(socket)
    })
  })
}
