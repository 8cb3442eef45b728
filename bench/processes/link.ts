/** A link (link/relay.ts) of the profile in the argument. A message names a port; the answer is the way to it. */
import { systemClock } from '../../src/clock.ts'
import type { Profile } from '../link/profile.ts'
import { Relay } from '../link/relay.ts'

/** The same in every run: each contender meets the same stalls. */
const seed = 1

const relay = new Relay(JSON.parse(process.argv[2] ?? '') as Profile, systemClock, seed)
process.on('disconnect', () => process.exit())
process.on('message', (to: number) => {
  const server = relay.server(to)
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const address = server.address()
    process.send?.(typeof address === 'object' && address !== null ? address.port : 0)
  })
})
process.send?.('ready')
