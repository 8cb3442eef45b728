/** A connection whose bytes reach a server of this process in segments as small as wanted. */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { settled } from './clock.ts'

/** Writes `bytes` in segments of `size`, with a turn of the event loop for each: the server has read it by then. */
export async function drip(socket: Socket, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.subarray(at, at + size))
    await settled()
  }
}

/** `socket` for a TLS client on top of it: the first `bytes` bytes that it writes go out in segments of `size`. */
export function dripping(socket: Socket, size: number, bytes = Number.POSITIVE_INFINITY): Duplex {
  let left = bytes
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      const slow = chunk.subarray(0, left)
      left -= slow.length
      void drip(socket, slow, size).then(() => {
        socket.write(chunk.subarray(slow.length))
        done()
      })
    },
    final: done => {
      socket.end()
      done()
    },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', chunk => {
    if (!stream.push(chunk)) socket.pause()
  })
  socket.on('end', () => stream.push(null))
  socket.on('close', () => stream.destroy())
  return stream
}
