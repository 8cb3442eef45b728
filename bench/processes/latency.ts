/** Jobs that time what comes back. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { quantile } from '../statistics.ts'
import { close, open, receive } from './sockets.ts'

/** Microseconds. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly samples: number
}

export interface RoundTrips {
  readonly port: number
  readonly seconds: number
  /** Before them, and not counted; a tenth of them unless given. */
  readonly warmUpSeconds?: number
  /** Of a message; 64 unless given. */
  readonly bytes?: number
  /** Between an answer and the next message; 0 unless given. */
  readonly pauseMs?: number
}

export const latencyJobs = {
  /** Messages to the echo service, each sent when the one before has come back. */
  async roundtrip(options: RoundTrips): Promise<Latency> {
    const { port, seconds, warmUpSeconds = seconds / 10, bytes = 64, pauseMs = 0 } = options
    const socket = await open(port)
    const sent = randomBytes(bytes)
    const times: number[] = []
    const start = performance.now() + warmUpSeconds * 1000
    return new Promise((resolve, reject) => {
      let sentAt = 0
      let received = 0
      const send = () => {
        sent[0] = (sent[0] ?? 0) + 1
        received = 0
        sentAt = performance.now()
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
        if (now > start) times.push((now - sentAt) * 1000)
        if (now - start >= seconds * 1000 && times.length > 0) {
          socket.destroy()
          resolve(latency(times))
        } else if (pauseMs > 0) setTimeout(send, pauseMs)
        else send()
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
}

export function latency(times: readonly number[]): Latency {
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), samples: times.length }
}
