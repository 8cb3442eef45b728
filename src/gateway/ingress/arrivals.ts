/**
 * Connections of which nobody knows yet who they are, by address. Whoever is in earnest is through in a moment, so where they are
 * too many, the oldest makes room for the newest: an address that keeps connections waiting keeps nobody else out, and not even
 * its own people for long.
 */
import type { Socket } from 'node:net'

export class Arrivals {
  /** Connections that made room. */
  ended = 0
  /** Connections for which there was none at all. */
  dropped = 0
  readonly #perAddress: number
  /** Of each address the oldest first, by the ends of the connection. */
  readonly #sockets = new Map<string, Map<string, Socket>>()
  readonly #addresses = new Map<string, string>()

  constructor(perAddress: number) {
    this.#perAddress = perAddress
  }

  /** Connections that are still on the way. */
  get size(): number {
    return this.#addresses.size
  }

  /** `socket` has come from `address`. */
  add(socket: Socket, address: string): void {
    const ends = endsOf(socket)
    const others = this.#sockets.get(address) ?? new Map<string, Socket>()
    const [oldest] = others
    if (oldest !== undefined && others.size >= this.#perAddress) {
      this.ended++
      this.#forget(...oldest)
      oldest[1].destroy()
    }
    this.#sockets.set(address, others.set(ends, socket))
    this.#addresses.set(ends, address)
    socket.once('close', () => this.#forget(ends, socket))
  }

  /** A connection was over the limit of all. */
  drop(): void {
    this.dropped++
  }

  /** Whoever is behind `socket`, or behind the TLS over it, has got so far that other limits hold. */
  arrived(socket: Socket): void {
    this.#forget(endsOf(socket))
  }

  #forget(ends: string, socket?: Socket): void {
    const address = this.#addresses.get(ends)
    const others = address === undefined ? undefined : this.#sockets.get(address)
    if (address === undefined || others === undefined) return
    if (socket !== undefined && others.get(ends) !== socket) return
    this.#addresses.delete(ends)
    others.delete(ends)
    if (others.size === 0) this.#sockets.delete(address)
  }
}

/** Node does not say from which socket a TLSSocket was made, but both name the same two ends. */
export const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
