/** What the load process can do. Each job rejects when a connection fails or a byte is wrong. */
import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { quantile } from '../statistics.ts'
import { Flow } from './flow.ts'

const held: Socket[] = []
let flow: Flow | undefined

/** Microseconds. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly samples: number
}

export interface Digest {
  readonly bytes: number
  readonly sha256: string
}

export const jobs = {
  /** Messages of 64 bytes, each sent when the one before has come back. The first tenth of the time is warm-up. */
  async roundtrip({ port, seconds }: { port: number; seconds: number }): Promise<Latency> {
    const socket = await open(port)
    const sent = randomBytes(64)
    const times: number[] = []
    const start = performance.now()
    return new Promise((resolve, reject) => {
      let sentAt = start
      let received = 0
      const send = () => {
        sentAt = performance.now()
        sent.writeDoubleBE(sentAt)
        received = 0
        socket.write(sent)
      }
      socket.on('data', chunk => {
        const rightUpToHere = sent.subarray(received, received + chunk.length).equals(chunk)
        received += chunk.length
        if (!rightUpToHere) {
          socket.destroy()
          return reject(new Error('the echo is not what was sent'))
        }
        if (received < sent.length) return
        const now = performance.now()
        if (now - start > seconds * 100) times.push((now - sentAt) * 1000)
        if (now - start < seconds * 1000 || times.length === 0) return send()
        socket.destroy()
        resolve(latency(times))
      })
      socket.on('close', () => reject(new Error('the connection was lost')))
      send()
    })
  },

  /** Connections one after the other, each open until one byte has come back. The first tenth is warm-up. */
  async connections({ port, seconds, most }: { port: number; seconds: number; most: number }): Promise<Latency> {
    const times: number[] = []
    const end = performance.now() + seconds * 1000
    while (times.length < most && (performance.now() < end || times.length === 0)) {
      const start = performance.now()
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.write('x')
      await receive(socket, 1)
      times.push((performance.now() - start) * 1000)
      await close(socket)
    }
    return latency(times.slice(Math.floor(times.length / 10)))
  },

  /** Opens `count` more connections, has a byte echoed through each, and keeps them open and silent. */
  async hold({ port, count }: { port: number; count: number }): Promise<number> {
    for (let left = count; left > 0; left -= 50) {
      const sockets = await Promise.all(Array.from({ length: Math.min(50, left) }, () => open(port)))
      held.push(...sockets)
      for (const socket of sockets) socket.write('x')
      await Promise.all(sockets.map(socket => receive(socket, 1)))
    }
    const lost = held.filter(socket => socket.closed).length
    if (lost > 0) throw new Error(`${lost} of ${held.length} idle connections were lost`)
    return held.length
  },

  /** Closes what `hold` opened. */
  async release(_: Record<string, never>): Promise<number> {
    const sockets = held.splice(0)
    await Promise.all(sockets.map(close))
    return sockets.length
  },

  /** Random bytes in writes of random lengths; the echo must be the same bytes, ended by FIN after FIN. */
  async echo({ port, bytes }: { port: number; bytes: number }): Promise<Digest> {
    const data = randomBytes(bytes)
    const socket = await open(port)
    const back = collect(socket)
    for (let from = 0; from < bytes; ) {
      const to = Math.min(bytes, from + 1 + Math.floor(Math.random() * 40_000))
      socket.write(data.subarray(from, to))
      from = to
    }
    socket.end()
    const received = await back
    if (!received.equals(data)) throw new Error(`the echo of ${bytes} bytes differs (${received.length} came back)`)
    return digest(received)
  },

  /** Sends random bytes to the blob service; its digest of them must be ours. */
  async up({ port, bytes }: { port: number; bytes: number }): Promise<Digest> {
    const data = randomBytes(bytes)
    const socket = await open(port)
    const answer = collect(socket)
    socket.write('U')
    socket.end(data)
    const sent = digest(data)
    const received = (await answer).toString()
    if (received !== `${sent.bytes} ${sent.sha256}`)
      throw new Error(`sent ${sent.bytes} ${sent.sha256}, the service got ${received || 'nothing'}`)
    return sent
  },

  /** Fetches the blob. */
  async down({ port }: { port: number }): Promise<Digest> {
    const socket = await open(port)
    const answer = collect(socket)
    socket.end('D')
    return digest(await answer)
  },

  /** Begins a flow of numbers there and back, and keeps it going. The jobs below are about this one. */
  async flow({ port }: { port: number }): Promise<void> {
    flow?.stop()
    flow = new Flow(await open(port))
  },

  async caughtUp({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    await flowing().caughtUp(timeoutMs)
  },

  async arrival({ after, timeoutMs }: { after: number; timeoutMs: number }): Promise<number> {
    return await flowing().arrival(after, timeoutMs)
  },

  /** How many bytes came back in all. */
  async endFlow({ timeoutMs }: { timeoutMs: number }): Promise<number> {
    return await flowing().finish(timeoutMs)
  },

  /** Whatever state it is in. */
  async dropFlow(_: Record<string, never>): Promise<void> {
    flow?.stop()
    flow = undefined
  },
}

function flowing(): Flow {
  if (flow === undefined) throw new Error('nothing flows')
  return flow
}

function open(port: number): Promise<Socket> {
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

async function close(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve).destroy())
}

/** Exactly `length` bytes: more, or an end before, is an error. */
function receive(socket: Socket, length: number): Promise<Buffer> {
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
function collect(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was lost')))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
  })
}

function digest(data: Buffer): Digest {
  return { bytes: data.length, sha256: createHash('sha256').update(data).digest('hex') }
}

function latency(times: readonly number[]): Latency {
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), samples: times.length }
}
