/** Ports for programs that cannot choose a free one by themselves. */
import { connect, createServer } from 'node:net'
import type { Child } from './child.ts'

/**
 * Runs `start` with `count` ports that were free a moment ago. Another process may take one in between: `start` must
 * reject then, and is tried again with other ports, three times in all.
 */
export async function withFreePorts<T>(count: number, start: (ports: readonly number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(count)
    try {
      return await start(ports)
    } catch (error) {
      if (attempt === 3) throw error
    }
  }
}

/** Resolves when something accepts connections at the port. Rejects when `child`, which should, ends first. */
export async function listening(child: Child, port: number): Promise<void> {
  await child.until(`listener at port ${port}`, async () => ((await accepts(port)) ? true : undefined))
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      server =>
        new Promise<number>((resolve, reject) => {
          server.on('error', reject)
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address !== null ? address.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
