/** What every service process of the bench does: listens on a free port, says which, and ends with the bench. */
import type { Server } from 'node:net'

/** @param facts sent along with the port, once the server listens */
export function serve(server: Server, facts: Record<string, unknown> = {}): void {
  process.on('disconnect', () => process.exit())
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    process.send?.({ port, ...facts })
  })
}
