/** One hop of the raw chain: as many listeners as the argument says, piped to the ports that a message names. */
import { connect, createServer } from 'node:net'

let dial: readonly number[] = []
process.on('disconnect', () => process.exit())
process.once('message', ports => {
  dial = ports as readonly number[]
  process.send?.('ready')
})

const listeners = Array.from(
  { length: Number(process.argv[2]) },
  (_, index) =>
    new Promise<number>(resolve => {
      const server = createServer({ noDelay: true, allowHalfOpen: true }, near => {
        const port = dial[index] ?? 0
        const far = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
        near.on('error', () => far.destroy())
        far.on('error', () => near.destroy())
        near.pipe(far).pipe(near)
      })
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    }),
)
process.send?.(await Promise.all(listeners))
