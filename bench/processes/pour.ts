/**
 * The service for bulk that must cost little. The first byte of a connection asks: `D` pours bytes down for ever; `U`
 * swallows what comes up and counts it; `S` never reads again. After `U` come two 32-bit numbers, the group and the
 * index in it. `C` and a group ask for counts: each byte that follows is answered with a line of JSON, the bytes
 * swallowed so far by index; the group is forgotten when that connection ends.
 */
import { createServer, type Socket } from 'node:net'
import { serve } from './serve.ts'

const poured = Buffer.alloc(64 * 1024, 'tunnelctl ')
const groups = new Map<number, number[]>()

function pourDown(socket: Socket): void {
  // A piece for each in a turn of the loop: while the kernel takes everything, one would never end.
  const pour = () => {
    if (!socket.destroyed) socket.write(poured, () => setImmediate(pour))
  }
  pour()
}

function swallow(socket: Socket, group: number, index: number): void {
  const counts = groups.get(group)
  if (counts === undefined) return void socket.destroy()
  counts[index] = 0
  socket.on('data', ({ length }) => {
    counts[index] = (counts[index] ?? 0) + length
  })
}

function count(socket: Socket, group: number): void {
  const counts: number[] = []
  groups.set(group, counts)
  socket.on('data', ({ length }) => socket.write(`${JSON.stringify(counts)}\n`.repeat(length)))
  socket.on('close', () => groups.delete(group))
}

/** The head of each request, its first byte included. */
const heads: Record<string, number> = { D: 1, S: 1, C: 5, U: 9 }

serve(
  createServer({ noDelay: true }, socket => {
    socket.on('error', () => socket.destroy())
    let head = Buffer.alloc(0)
    socket.on('data', function ask(chunk: Buffer) {
      head = Buffer.concat([head, chunk])
      const kind = String.fromCharCode(head[0] ?? 0)
      const length = heads[kind]
      if (length === undefined) return void socket.destroy()
      if (head.length < length) return
      socket.off('data', ask)
      if (kind === 'D') pourDown(socket.resume())
      else if (kind === 'S') socket.pause()
      else if (kind === 'C') count(socket, head.readUInt32BE(1))
      else swallow(socket, head.readUInt32BE(1), head.readUInt32BE(5))
      if (head.length > length) socket.unshift(head.subarray(length))
    })
  }),
)
