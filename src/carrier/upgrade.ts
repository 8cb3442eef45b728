/**
 * The handshake of a WebSocket, at both ends, by `ws`: requests, answers and their checks. What follows the handshake is read
 * and written by framing.ts, so the socket is taken over in the moment in which `ws` would begin to.
 */
import type { Socket } from 'node:net'
import { type ClientOptions, type ServerOptions, WebSocket } from 'ws'

/** An upgraded socket, of which nothing was read yet. */
export interface Upgraded {
  readonly socket: Socket
  /** What came with the last bytes of the handshake. */
  readonly head: Buffer
}

/** Emits `open` once the socket is upgraded and `upgraded` holds it. `ws` itself reads and writes nothing on it. */
export class Upgrade extends WebSocket {
  upgraded: Upgraded | undefined

  /** Called by `ws` when the handshake has succeeded. */
  setSocket(socket: Socket, head: Buffer): void {
    this.upgraded = { socket, head }
    this.emit('open')
  }
}

/** Options of `ws` for the client's handshake. Compression is never negotiated. */
export const clientOptions = { perMessageDeflate: false, followRedirects: false } as const satisfies ClientOptions

/** Options of `ws` for the server's handshake. */
export const serverOptions = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  WebSocket: Upgrade,
} as const satisfies ServerOptions<typeof Upgrade>
