/** A forward to one target: its listeners, and the connections that they accept. */
import { type Forward, formatTarget } from '../net/target.ts'
import { Carried, type CarriedOptions } from './carried.ts'
import type { ForwardSnapshot, StreamSnapshot } from './events.ts'
import { Listener } from './listener.ts'

export interface TcpForwardOptions extends CarriedOptions {
  readonly forward: Forward
}

export class TcpForward {
  readonly target: string
  readonly #forward: Forward
  readonly #carried: Carried
  readonly #listener: Listener

  constructor(options: TcpForwardOptions) {
    const { forward } = options
    this.#forward = forward
    this.target = formatTarget(forward.target)
    this.#carried = new Carried(options)
    this.#listener = new Listener(socket => this.#carried.accept(socket, forward.target))
  }

  /** As printed; the IPv4 loopback first. */
  get locals(): readonly string[] {
    return this.#listener.locals
  }

  /**
   * Binds the forward's address, or both loopbacks. A port that was asked for is that port or an error; otherwise it is
   * the target's own number if it can be had, else any free one.
   * @throws TunnelError PORT_TAKEN, LISTEN
   */
  async listen(): Promise<void> {
    const { target, ...at } = this.#forward
    await this.#listener.open(typeof target.port === 'number' ? { ...at, preferred: target.port } : at)
  }

  snapshot(): ForwardSnapshot {
    return { local: this.locals[0] ?? '', target: this.target, ...this.#carried.figures }
  }

  streams(): StreamSnapshot[] {
    return this.#carried.streams()
  }

  close(): void {
    this.#listener.close()
    this.#carried.close()
  }
}
