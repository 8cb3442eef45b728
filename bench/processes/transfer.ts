/** Jobs that compare what arrives with what was sent. */
import { createHash, randomBytes } from 'node:crypto'
import { collect, open } from './sockets.ts'

export interface Digest {
  readonly bytes: number
  readonly sha256: string
}

export const transferJobs = {
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
}

function digest(data: Buffer): Digest {
  return { bytes: data.length, sha256: createHash('sha256').update(data).digest('hex') }
}
