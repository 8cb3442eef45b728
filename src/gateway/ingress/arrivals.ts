/**
 * Connections by address: how many there are in all, and those of which nobody knows yet who they are. Whoever is in earnest is through
 * in a moment: so where they are too many, one that has taken its time makes room, and as long as all are quick, the next one waits for
 * another try. An address that keeps connections waiting keeps nobody else out, and a whole office that comes back at once gets in.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../../clock.ts'
import type { GatewayLimits } from '../limits.ts'

/** Longer than whoever is in earnest takes on a busy day. */
const PATIENCE_MS = 2_000

type ArrivalLimits = Pick<GatewayLimits, 'arrivalsPerAddress' | 'connectionsPerAddress'>

interface Arrival {
  readonly socket: Socket
  readonly address: string
  readonly at: number
}

export class Arrivals {
  /** Connections that made room, or got none. */
  ended = 0
  /** Connections for which there was none at all, from any address. */
  dropped = 0
  readonly #limits: ArrivalLimits
  readonly #clock: Pick<Clock, 'now'>
  /** Connections of each address, whether they have arrived or not. */
  readonly #open = new Map<string, number>()
  /** By the ends of the connection; of each address the oldest first. */
  readonly #arrivals = new Map<string, Arrival>()
  readonly #byAddress = new Map<string, Map<string, Arrival>>()

  constructor(limits: ArrivalLimits, clock: Pick<Clock, 'now'>) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Connections that are still on the way. */
  get size(): number {
    return this.#arrivals.size
  }

  /** `socket` has come from `address`. It may be destroyed at once. */
  add(socket: Socket, address: string): void {
    const { connectionsPerAddress, arrivalsPerAddress } = this.#limits
    const open = this.#open.get(address) ?? 0
    if (open >= connectionsPerAddress) {
      this.ended++
      return void socket.destroy()
    }
    const others = this.#byAddress.get(address) ?? new Map<string, Arrival>()
    const [[oldestEnds, oldest] = []] = others
    const at = this.#clock.now()
    if (oldestEnds !== undefined && oldest !== undefined && others.size >= arrivalsPerAddress) {
      this.ended++
      const loser = at - oldest.at > PATIENCE_MS ? oldest.socket : socket
      loser.destroy()
      if (loser === socket) return
      // A socket that is destroyed does not know its own end any more.
      this.#forget(oldestEnds, oldest.socket)
    }
    const ends = endsOf(socket)
    const arrival = { socket, address, at }
    this.#byAddress.set(address, others.set(ends, arrival))
    this.#arrivals.set(ends, arrival)
    this.#open.set(address, open + 1)
    socket.once('close', () => {
      this.#closed(address)
      this.#forget(ends, socket)
    })
  }

  /** A connection was over the limit of all. */
  drop(): void {
    this.dropped++
  }

  /** Whoever is behind `socket`, or behind the TLS over it, has got so far that other limits hold. */
  arrived(socket: Socket): void {
    this.#forget(endsOf(socket))
  }

  #closed(address: string): void {
    const left = (this.#open.get(address) ?? 1) - 1
    if (left > 0) this.#open.set(address, left)
    else this.#open.delete(address)
  }

  /** Compare-and-delete, where `socket` is given: its ends may be another's by now. */
  #forget(ends: string, socket?: Socket): void {
    const arrival = this.#arrivals.get(ends)
    if (arrival === undefined || (socket !== undefined && arrival.socket !== socket)) return
    this.#arrivals.delete(ends)
    const others = this.#byAddress.get(arrival.address)
    others?.delete(ends)
    if (others?.size === 0) this.#byAddress.delete(arrival.address)
  }
}

/** Node does not say from which socket a TLSSocket was made, but both name the same two ends. */
export const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
