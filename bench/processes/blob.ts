/**
 * The service that transfers are verified against. The first byte of a connection asks: `D` sends the blob down, `U`
 * takes what comes up until FIN and answers with its length and sha256. Both answers end with FIN.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { serve } from './serve.ts'

const blob = randomBytes(Number(process.argv[2]))

function takeUp(socket: Socket, first: Buffer): void {
  const hash = createHash('sha256').update(first)
  let bytes = first.length
  socket.on('data', chunk => {
    hash.update(chunk)
    bytes += chunk.length
  })
  socket.on('end', () => socket.end(`${bytes} ${hash.digest('hex')}`))
}

serve(
  createServer({ noDelay: true, allowHalfOpen: true }, socket => {
    socket.on('error', () => socket.destroy())
    socket.once('data', chunk => {
      if (chunk[0] === 0x55) takeUp(socket, chunk.subarray(1))
      else socket.end(blob)
    })
  }),
  { sha256: createHash('sha256').update(blob).digest('hex') },
)
