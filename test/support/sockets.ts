/** Services and clients of a tunnel, in the test's own process: plain sockets, half-open where a test wants to see halves. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { PATIENCE_MS } from './processes.ts'
import type { Scope } from './tunnel.ts'

/** A service on a free port of loopback. Its sockets keep both halves apart; nothing that fails on one ends the test. */
export async function serve(scope: Scope, onSocket: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    onSocket(socket)
  })
  server.listen({ port: 0, host, backlog: 4_096 })
  await once(server, 'listening')
  scope.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  return address.port
}

export const serveEcho = (scope: Scope): Promise<number> => serve(scope, socket => socket.pipe(socket))

/**
 * A port of loopback where nobody listens, below those that the kernel gives to outgoing connections: it is still free
 * when a server takes it later.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000)
    const server = createServer()
    const bound = new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!(await bound)) continue
    await new Promise(resolve => server.close(resolve))
    return port
  }
}

/** A connected socket that keeps both halves apart. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  socket.on('error', () => {})
  await within(once(socket, 'connect'), `connection to port ${port}`)
  return socket
}

/** Everything up to the other side's end. Rejects when the connection is reset before. */
export function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk))
  const ended = new Promise<Buffer>((resolve, reject) => {
    socket.once('end', () => resolve(Buffer.concat(chunks)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an end')))
  })
  return within(ended, 'end of the stream')
}

/** The next `bytes` bytes. The socket must not be read by anybody else. */
export async function readExactly(socket: Socket, bytes: number): Promise<Buffer> {
  let look = () => {}
  const read = new Promise<Buffer>((resolve, reject) => {
    look = () => {
      const chunk: Buffer | null = socket.read(bytes)
      if (chunk?.length === bytes) resolve(chunk)
      else if (chunk !== null) reject(new Error(`the stream ended after ${chunk.length} of ${bytes} bytes`))
      else if (socket.readableEnded || socket.destroyed) reject(new Error(`the stream ended before ${bytes} bytes`))
    }
  })
  // One listener for the whole time: each new one is told at once of what is buffered, and that would never end.
  for (const event of ['readable', 'end', 'close']) socket.on(event, look)
  look()
  try {
    return await within(read, `${bytes} bytes`)
  } finally {
    for (const event of ['readable', 'end', 'close']) socket.off(event, look)
  }
}

/** Sends `text` to an echo and resolves when it came back whole. */
export async function echoed(socket: Socket, text: string): Promise<void> {
  socket.write(text)
  const answer = await readExactly(socket, Buffer.byteLength(text))
  if (answer.toString() !== text) throw new Error(`sent ${text}, got ${answer.toString()}`)
}

/** How the connection ended: the errno of the reset, or `in order`. */
export function outcome(socket: Socket): Promise<string> {
  socket.resume()
  const ended = new Promise<string>(resolve => {
    let why = 'in order'
    socket.once('error', (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message
    })
    if (socket.closed) resolve(why)
    else socket.once('close', () => resolve(why))
  })
  return within(ended, 'end of the connection')
}

/** How a connection that sends `text` ends. A reset may be faster than the news that it is connected. */
export function outcomeOf(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(text)
  return outcome(socket)
}

/** `promise`, or a failure that names what did not happen in time. */
export async function within<T>(promise: Promise<T>, what: string, ms = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Bytes that are different at every offset that matters, made without cost: a block with its number in front. */
export function* pattern(totalBytes: number, seed = 0): Generator<Buffer> {
  const size = 64 * 1024
  for (let at = 0, block = 0; at < totalBytes; at += size, block++) {
    const bytes = Buffer.alloc(Math.min(size, totalBytes - at), (block + seed) & 0xff)
    for (let offset = 0; offset + 8 <= bytes.length; offset += 1024) {
      bytes.writeUInt32BE(seed, offset)
      bytes.writeUInt32BE((at + offset) / 1024, offset + 4)
    }
    yield bytes
  }
}

/** A service whose connections the test takes one by one. */
export interface Switchboard {
  readonly port: number
  /** The next connection that was not taken yet. */
  accepted(): Promise<Socket>
}

export async function serveByHand(scope: Scope): Promise<Switchboard> {
  const arrived: Socket[] = []
  const waiting: ((socket: Socket) => void)[] = []
  const port = await serve(scope, socket => {
    const next = waiting.shift()
    if (next === undefined) arrived.push(socket)
    else next(socket)
  })
  const take = () =>
    new Promise<Socket>(resolve => {
      const socket = arrived.shift()
      if (socket === undefined) waiting.push(resolve)
      else resolve(socket)
    })
  return { port, accepted: () => within(take(), 'connection at the service') }
}
