/** A UDP flow at the agent: one stream, joined to one socket that is connected to the service. */
import { createSocket, type Socket } from 'node:dgram'
import { TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { DatagramReader, encodeDatagram, MAX_WAITING_BYTES } from '../net/datagram.ts'
import { giveBack } from '../slab.ts'
import type { Address } from './resolver.ts'

/**
 * A socket that hears and sends to this address alone. The caller owns it; it has an `error` listener that does nothing. Rejects with
 * the errno, as for an address that no route leads to, and no socket is left then.
 */
export function connectUdp({ address, family }: Address, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    const failed = (error: Error) => {
      socket.close()
      reject(error)
    }
    socket.on('error', () => {})
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      resolve(socket)
    })
    // A callback would be given the error in place of the event.
    socket.connect(port, address)
  })
}

/** Resolves when the stream is closed; the socket is closed then. What a host answers to a port without a service resets the stream. */
export function joinUdp(socket: Socket, stream: Stream): Promise<void> {
  const reader = new DatagramReader(payload => socket.send(payload))
  stream.on('data', (chunk: Buffer) => {
    reader.read(chunk)
    giveBack(chunk)
  })
  stream.on('end', () => stream.end())
  stream.on('error', () => {})
  socket.on('message', payload => {
    if (stream.writableEnded || stream.writableLength > MAX_WAITING_BYTES) return
    stream.write(encodeDatagram(payload))
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    // One datagram was too long for the path: it is lost, and the flow goes on.
    if (error.code === 'EMSGSIZE') return
    const why = error.code === 'ECONNREFUSED' ? 'nothing listens at the port' : (error.code ?? error.message)
    stream.reset(new TunnelError(error.code === 'ECONNREFUSED' ? 'REFUSED' : 'UNREACHABLE', why, { cause: error }))
  })
  return new Promise(resolve => {
    const close = () => {
      socket.close()
      resolve()
    }
    if (stream.closed) close()
    else stream.once('close', close)
  })
}
