/** Who is at the other end of a connection, also when a proxy in front has passed it on. */
import type { Socket } from 'node:net'
import { unmapped } from '../../net/address.ts'

const told = new WeakMap<Socket, string>()

/**
 * The address of the client of an accepted socket, plain or TLS: the one that a trusted proxy has told, or the peer's; an
 * IPv4-mapped one as IPv4. Empty when the socket is gone and nobody has asked before.
 */
export const clientAddress = (socket: Socket): string => told.get(socket) ?? unmapped(socket.remoteAddress ?? '')

/** `address` is what `clientAddress` gives for `socket` from now on. */
export function tellClientAddress(socket: Socket, address: string): void {
  told.set(socket, address)
}
