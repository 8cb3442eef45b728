/**
 * Jobs about WebSockets, each of which carries one and the same message, there and back: it is framed once (RFC 6455, 5.2), and
 * the load spends its time on nothing but to send, to compare and to count.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { answerOn } from './http.ts'
import { type Latency, latency } from './latency.ts'
import { close, open } from './sockets.ts'

export interface Dialled {
  readonly port: number
  readonly host: string
}

export interface Echoes extends Dialled {
  readonly seconds: number
  readonly connections: number
  /** Messages under way on each connection: the next is sent when one has come back. */
  readonly window: number
}

export interface Echoed extends Latency {
  readonly perSecond: number
}

const messageBytes = 125
const copies = 64
const mask = Buffer.from([0x12, 0x34, 0x56, 0x78])
const payload = randomBytes(messageBytes)
const sent = repeated([0x82, 0x80 | messageBytes, ...mask, ...payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0))])
const echoed = repeated([0x82, messageBytes, ...payload])
const [sentBytes, echoedBytes] = [sent.length / copies, echoed.length / copies]

function repeated(frame: readonly number[]): Buffer {
  return Buffer.concat(Array.from({ length: copies }, () => Buffer.from(frame)))
}

/** One upgraded connection that compares what comes back. */
class Line {
  readonly socket: Socket
  #received = 0
  #came: (messages: number) => void = () => {}
  #failed: (error: Error) => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => this.#take(chunk))
    const lost = () => this.#failed(new Error('a WebSocket was lost'))
    socket.on('end', lost).on('close', lost)
  }

  /** @param came told how many messages are back */
  listen(came: (messages: number) => void, failed: (error: Error) => void): void {
    this.#came = came
    this.#failed = failed
  }

  send(messages: number): void {
    for (let left = messages; left > 0; left -= copies)
      this.socket.write(sent.subarray(0, Math.min(left, copies) * sentBytes))
  }

  #take(chunk: Buffer): void {
    const before = Math.floor(this.#received / echoedBytes)
    for (let at = 0; at < chunk.length; ) {
      const from = this.#received % echoedBytes
      const length = Math.min(chunk.length - at, echoed.length - from)
      if (echoed.compare(chunk, at, at + length, from, from + length) !== 0)
        return this.#failed(new Error('the echo is not what was sent'))
      at += length
      this.#received += length
    }
    const messages = Math.floor(this.#received / echoedBytes) - before
    if (messages > 0) this.#came(messages)
  }
}

async function dial({ port, host }: Dialled): Promise<Socket> {
  const socket = await open(port)
  const answer = answerOn(socket)
  const headers = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
  const key = `Sec-WebSocket-Key: ${Buffer.alloc(16, 'tunnelctl').toString('base64')}`
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n${[...headers, key].join('\r\n')}\r\n\r\n`)
  const { status, rest } = await answer
  if (status === 101 && rest.length === 0) return socket
  await close(socket)
  throw new Error(`the answer to an upgrade is ${status}, with ${rest.length} bytes behind it`)
}

async function dialMany(dialled: Dialled, count: number): Promise<Line[]> {
  const lines: Line[] = []
  for (let left = count; left > 0; left -= 50)
    lines.push(...(await Promise.all(Array.from({ length: Math.min(50, left) }, () => dial(dialled))).then(toLines)))
  return lines
}

const toLines = (sockets: readonly Socket[]): Line[] => sockets.map(socket => new Line(socket))

async function hangUp(lines: readonly Line[]): Promise<void> {
  for (const line of lines)
    line.listen(
      () => {},
      () => {},
    )
  await Promise.all(lines.map(({ socket }) => close(socket)))
}

/** Messages over all of them for so many seconds. The times are in microseconds. */
function exchange(
  lines: readonly Line[],
  window: number,
  seconds: number,
): Promise<{ times: number[]; perSecond: number }> {
  const times: number[] = []
  const start = performance.now()
  const [from, until] = [start + seconds * 100, start + seconds * 1000]
  return new Promise((resolve, reject) => {
    for (const line of lines) {
      const sentAt: number[] = Array.from({ length: window }, () => performance.now())
      line.listen(messages => {
        const now = performance.now()
        for (let index = 0; index < messages; index++) {
          const its = sentAt.shift() ?? now
          if (now > from) times.push((now - its) * 1000)
          sentAt.push(now)
        }
        if (now >= until && times.length > 0) resolve({ times, perSecond: times.length / ((now - from) / 1000) })
        else line.send(messages)
      }, reject)
      line.send(window)
    }
  })
}

const held: Line[] = []

export const webSocketJobs = {
  /** WebSockets one after the other, from the TCP connect to the answer 101. The first tenth is warm-up. */
  async upgrades({ seconds, most, ...dialled }: Dialled & { seconds: number; most: number }): Promise<Latency> {
    const times: number[] = []
    const end = performance.now() + seconds * 1000
    while (times.length < most && (performance.now() < end || times.length === 0)) {
      const start = performance.now()
      const socket = await dial(dialled)
      times.push((performance.now() - start) * 1000)
      await close(socket)
    }
    return latency(times.slice(Math.floor(times.length / 10)))
  },

  /** The first tenth of the time is warm-up. */
  async webSocketEchoes({ connections, window, seconds, ...dialled }: Echoes): Promise<Echoed> {
    const lines = await dialMany(dialled, connections)
    try {
      const { times, perSecond } = await exchange(lines, window, seconds)
      return { perSecond, ...latency(times) }
    } finally {
      await hangUp(lines)
    }
  },

  /** Opens `count` more, has a message echoed through each, and keeps them open and silent. */
  async holdWebSockets({ count, ...dialled }: Dialled & { count: number }): Promise<number> {
    const lines = await dialMany(dialled, count)
    held.push(...lines)
    await Promise.all(lines.map(echo))
    const lost = held.filter(({ socket }) => socket.closed).length
    if (lost > 0) throw new Error(`${lost} of ${held.length} idle WebSockets were lost`)
    return held.length
  },

  /** Messages on those that are held, `perSecond` on each, one after the other. Resolves with how many came back. */
  async steadyWebSockets({ perSecond, seconds }: { perSecond: number; seconds: number }): Promise<number> {
    let [sentMessages, back] = [0, 0]
    const start = performance.now()
    await new Promise<void>((resolve, reject) => {
      const came = (messages: number) => {
        back += messages
      }
      for (const line of held) line.listen(came, reject)
      const timer = setInterval(() => {
        const passed = Math.min(seconds, (performance.now() - start) / 1000)
        for (const due = passed * perSecond * held.length; sentMessages < due; sentMessages++)
          held[sentMessages % held.length]?.send(1)
        if (passed < seconds || back < sentMessages) return
        clearInterval(timer)
        resolve()
      }, 5)
    })
    return back
  },

  /** Closes what `holdWebSockets` opened. */
  async releaseWebSockets(_: Record<string, never>): Promise<number> {
    const lines = held.splice(0)
    await hangUp(lines)
    return lines.length
  },
}

const echo = (line: Line): Promise<void> =>
  new Promise((resolve, reject) => {
    line.listen(() => resolve(), reject)
    line.send(1)
  })
