/**
 * Joins a socket and a stream until both directions have ended. Each waits for the other's back-pressure, half-close is kept
 * both ways, and an abort on one side is an abort on the other, never a silent end.
 */
import type { Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import { TunnelError } from '../errors.ts'
import { readSocket } from './reading.ts'
import { LentWriter } from './writing.ts'

/** Sees what passes, before it passes. It must neither keep nor change a chunk, nor throw. */
export interface Tap {
  fromSocket(chunk: Buffer): void
  fromStream(chunk: Buffer): void
}

/**
 * Both must be `allowHalfOpen` and unread. Resolves when both are closed and never rejects: what went wrong on the stream
 * is in its `error` event, what went wrong on the socket resets the stream as PEER_RESET.
 * @param who names the socket's side in that error: `the service`, `the local client`
 */
export function splice(socket: Socket, stream: Duplex, who: string, tap?: Tap): Promise<void> {
  let failure: Error | undefined
  socket.on('error', error => {
    failure = error
  })
  stream.on('error', () => abort(socket))
  stream.on('close', () => {
    if (!socket.destroyed && !endedInOrder(stream)) abort(socket)
  })
  socket.on('close', () => {
    if (!stream.destroyed && !endedInOrder(socket)) stream.destroy(abortedBy(who, failure))
  })
  readSocket(socket, chunk => {
    tap?.fromSocket(chunk)
    if (!stream.write(chunk)) socket.pause()
  })
  if (tap !== undefined) stream.on('data', (chunk: Buffer) => tap.fromStream(chunk))
  stream.on('drain', () => socket.resume())
  socket.on('end', () => {
    if (wasReset(socket)) stream.destroy(abortedBy(who, undefined))
    else stream.end()
  })
  pump(stream, socket)
  stream.on('end', () => socket.end())
  // One of them may have died while the other was being reached.
  if (stream.destroyed) abort(socket)
  else if (socket.destroyed) stream.destroy(abortedBy(who, failure))
  return Promise.all([closed(socket), closed(stream)]).then(() => {})
}

/** What Node's `pipe` does, without the half of a kilobyte in listeners that it keeps to be undone. Gives back what it wrote. */
export function pump(from: Readable, to: Writable): void {
  const writer = new LentWriter(to)
  from.on('data', (chunk: Buffer) => {
    if (!writer.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
}

/**
 * Ends a socket with a TCP RST. While its FIN is being handed to the kernel, which takes a turn of the event loop, libuv
 * refuses to, and Node would then never close the descriptor: the reset waits for that turn.
 */
export function abort(socket: Socket): void {
  const finishing = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
  if (finishing && !socket.destroyed) socket.once('finish', () => reset(socket))
  else reset(socket)
}

/** A Unix socket knows no reset, and Node throws when it is asked for one: a close is all there is. */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}

function abortedBy(who: string, failure: Error | undefined): TunnelError {
  const code = (failure as NodeJS.ErrnoException | undefined)?.code
  const why = code === undefined || code === 'ECONNRESET' || code === 'EPIPE' ? '' : ` (${code})`
  return new TunnelError('PEER_RESET', `${who} aborted the connection${why}`)
}

/**
 * A reset that arrives while data still waits unread is an end to libuv, which does not look for the error then. But the
 * kernel knows no peer of a TCP socket then; after a FIN it does, as long as our own side is open. Nobody may have asked before: Node
 * keeps the answer.
 */
const wasReset = (socket: Socket): boolean =>
  !socket.writableEnded && socket.localPort !== undefined && socket.remotePort === undefined

const endedInOrder = (side: Duplex): boolean => side.readableEnded && side.writableFinished

function closed(side: Duplex): Promise<void> {
  return side.closed ? Promise.resolve() : new Promise(resolve => side.once('close', () => resolve()))
}
