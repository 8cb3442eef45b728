/** Jobs about HTTP requests, and about bodies. */
import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { quantile } from '../statistics.ts'
import { answerOn, getRequest, parseAnswer } from './http.ts'
import { close, open } from './sockets.ts'
import type { Digest } from './transfer.ts'

export interface Asked {
  readonly port: number
  readonly host: string
  readonly path: string
}

export interface Compared extends Asked {
  /** Where the same is asked for without a contender, in turn. */
  readonly direct: number
  readonly seconds: number
}

/** Microseconds. */
export interface Comparison {
  readonly p50: number
  readonly p99: number
  readonly direct: number
}

export interface Moved {
  /** 1,000,000 bytes. */
  readonly megabytesPerSecond: number
  readonly digest?: Digest
}

export const exchangeJobs = {
  /** The body. */
  async fetch({ port, host, path }: Asked): Promise<string> {
    const socket = await open(port)
    const answer = answerOn(socket)
    socket.write(getRequest(host, path))
    const { status, rest } = await answer
    await close(socket)
    if (status !== 200) throw new Error(`the answer is ${status}`)
    return rest.toString()
  },

  /** Requests over one connection, and over another one that goes direct, in turn. The first tenth is warm-up. */
  async exchanges({ port, direct, host, path, seconds }: Compared): Promise<Comparison> {
    const [through, beside] = [await open(port), await open(direct)]
    const request = getRequest(host, path)
    const [times, directTimes]: [number[], number[]] = [[], []]
    const start = performance.now()
    for (let passed = 0; passed < seconds * 1000 || times.length === 0; passed = performance.now() - start) {
      const [its, alone] = [await timed(through, request), await timed(beside, request)]
      if (passed < seconds * 100) continue
      times.push(its)
      directTimes.push(alone)
    }
    await Promise.all([close(through), close(beside)])
    return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), direct: quantile(directTimes, 0.5) }
  },

  async download({ port, host, path, digest }: Asked & { readonly digest: boolean }): Promise<Moved> {
    const hash = digest ? createHash('sha256') : undefined
    const start = performance.now()
    const bytes = await drink(port, getRequest(host, path), chunk => hash?.update(chunk))
    return moved(bytes, start, hash && { bytes, sha256: hash.digest('hex') })
  },

  /** Sends random bytes; the service answers with their number, and in `digest` with their sha256 too. */
  async upload({ port, host, path, bytes, digest }: Asked & { readonly bytes: number; readonly digest: boolean }) {
    const chunk = randomBytes(2 ** 18)
    const hash = digest ? createHash('sha256') : undefined
    const socket = await open(port)
    const answer = answerOn(socket)
    const start = performance.now()
    socket.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${bytes}\r\n\r\n`)
    for (let left = bytes; left > 0 && !socket.destroyed; left -= chunk.length) {
      const piece = chunk.subarray(0, left)
      hash?.update(piece)
      if (!socket.write(piece)) await room(socket)
    }
    const { status, rest } = await answer
    const said = rest.toString()
    const sent = hash && { bytes, sha256: hash.digest('hex') }
    const wanted = sent ? `${sent.bytes} ${sent.sha256}` : String(bytes)
    if (status !== 200 || said !== wanted) throw new Error(`sent ${wanted}, the service answers ${status} ${said}`)
    const result = moved(bytes, start, sent)
    await close(socket)
    return result
  },
}

function moved(bytes: number, start: number, digest: Digest | undefined): Moved {
  const megabytesPerSecond = bytes / 1000 / (performance.now() - start)
  return { megabytesPerSecond, ...(digest && { digest }) }
}

async function timed(socket: Socket, request: string): Promise<number> {
  const start = performance.now()
  const answer = answerOn(socket)
  socket.write(request)
  const { status, length } = await answer
  if (status !== 200 || length === 0) throw new Error(`the answer is ${status} with ${length} bytes`)
  return (performance.now() - start) * 1000
}

/** Until it can take more, or is closed. */
const room = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    const go = () => {
      socket.off('drain', go).off('close', go)
      resolve()
    }
    socket.on('drain', go).on('close', go)
  })

/** Asks, and reads the body of the answer, into the same memory again and again. Resolves with its length. */
function drink(port: number, request: string, take: (chunk: Buffer) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let head: Buffer | undefined = Buffer.alloc(0)
    let [wanted, bytes] = [0, 0]
    const body = (chunk: Buffer) => {
      take(chunk)
      bytes += chunk.length
      if (bytes >= wanted) socket.destroy()
    }
    const callback = (length: number, buffer: Uint8Array): boolean => {
      const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, length)
      if (head === undefined) body(chunk)
      else {
        head = Buffer.concat([head, chunk])
        const answer = parseAnswer(head)
        if (answer === undefined) return true
        head = undefined
        if (answer.status === 200) wanted = answer.length
        body(answer.rest)
      }
      return true
    }
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer: Buffer.alloc(2 ** 18), callback } })
    socket.on('error', reject)
    socket.on('close', () => {
      if (wanted > 0 && bytes === wanted) resolve(bytes)
      else reject(new Error(`${bytes} of ${wanted} bytes came`))
    })
    socket.write(request)
  })
}
