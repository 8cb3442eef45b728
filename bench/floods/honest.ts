/** The honest client beside a flood: one connection that is open all the time, and new ones, through a local port. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Honest {
  /** Milliseconds, of each echo and of each new connection with its first echo. */
  readonly echoes: readonly number[]
  readonly connections: readonly number[]
  /** What came back wrong, or not at all. */
  readonly failures: readonly string[]
}

const ECHO_BYTES = 64
const ECHO_EVERY_MS = 3
const CONNECT_EVERY_MS = 100
const PATIENCE_MS = 10_000

/** Echoes through `port` for `seconds`. */
export async function beHonest(port: number, seconds: number): Promise<Honest> {
  const echoes: number[] = []
  const connections: number[] = []
  const failures: string[] = []
  const end = performance.now() + seconds * 1_000
  const keep = async (): Promise<void> => {
    const socket = await dial(port)
    for (let round = 0; performance.now() < end; round++) {
      echoes.push(await echo(socket, round))
      await sleep(ECHO_EVERY_MS)
    }
    socket.destroy()
  }
  const renew = async (): Promise<void> => {
    for (let round = 0; performance.now() < end; round++) {
      const since = performance.now()
      const socket = await dial(port)
      await echo(socket, round)
      connections.push(performance.now() - since)
      socket.destroy()
      await sleep(CONNECT_EVERY_MS)
    }
  }
  const failed = (error: unknown) => void failures.push((error as Error).message)
  await Promise.all([keep().catch(failed), renew().catch(failed)])
  return { echoes, connections, failures }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE_MS) })
  socket.on('error', () => {})
  return socket
}

/** How long the bytes took, there and back; rejects when they come back changed or not at all. */
async function echo(socket: Socket, round: number): Promise<number> {
  const sent = Buffer.alloc(ECHO_BYTES, `${round} `)
  const since = performance.now()
  socket.write(sent)
  let got = Buffer.alloc(0)
  while (got.length < ECHO_BYTES) {
    const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [Buffer]
    got = Buffer.concat([got, chunk])
  }
  if (!got.equals(sent)) throw new Error('other bytes came back')
  return performance.now() - since
}
