/** Jobs about connections that are open and idle. */
import type { Socket } from 'node:net'
import { close, open, receive } from './sockets.ts'

const held: Socket[] = []

export const heldJobs = {
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
}
