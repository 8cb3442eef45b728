/** That a way leads all the way: its near end may accept long before the far end is there. */
import { connect } from 'node:net'
import type { Child } from '../child.ts'

/**
 * Resolves when the echo service answers through `port`. Rejects when `child`, which listens there, ends first.
 */
export async function carrying(child: Child, port: number): Promise<void> {
  await child.until(`echo through port ${port}`, async () => ((await echoes(port)) ? true : undefined))
}

/** One try. It is long, for a tunnel may hold a connection back until its far end is there. */
const patienceMs = 2_000

function echoes(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, timeout: patienceMs })
    socket.on('connect', () => socket.write('x'))
    socket.on('data', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('timeout', () => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(false))
  })
}
