/** The connections of the load. */
import { connect, type Socket } from 'node:net'

export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // A later error also closes the socket, and that is what the jobs look at.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

export async function close(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve).destroy())
}

/** Exactly `length` bytes: more, or an end before, is an error. */
export function receive(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received: Buffer | undefined
    const settle = (error?: Error) => {
      socket.off('data', take).off('error', settle).off('close', ended).off('end', ended)
      if (error) reject(error)
      else resolve(received ?? Buffer.alloc(0))
    }
    const ended = () => settle(new Error('the connection ended before the answer'))
    const take = (chunk: Buffer) => {
      received = received === undefined ? chunk : Buffer.concat([received, chunk])
      if (received.length > length) settle(new Error('more came back than was sent'))
      else if (received.length === length) settle()
    }
    socket.on('data', take).on('error', settle).on('close', ended).on('end', ended)
  })
}

/** Everything up to FIN. A reset is an error. */
export function collect(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was lost')))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
  })
}
