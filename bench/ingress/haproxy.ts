import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import { madeOf, starting } from '../contenders/contender.ts'
import { chain, hops } from '../contenders/haproxy.ts'
import { peers } from '../contenders/peers.ts'
import { listening, withFreePorts } from '../port.ts'

const http = [
  ...['mode http', 'option http-keep-alive', 'http-reuse always', 'option forwardfor'],
  ...['timeout http-keep-alive 1h', 'timeout tunnel 1h'],
]

/** The yardstick: three HTTP hops in one HAProxy process of two threads, which keeps connections to the next hop. */
export const haproxy = madeOf(
  ['haproxy'],
  {
    name: 'haproxy',
    security: 'plain',
    about: { ...peers.haproxy, transport: 'HTTP/1.1 from proxy to proxy, connections kept' },
  },
  (paths, services) =>
    withFreePorts(hops * Object.keys(services).length, free =>
      starting(async processes => {
        const { configuration, ports } = await chain(services, free, http)
        const file = join(scratch(), `haproxy-http-${Object.values(ports).join('-')}.cfg`)
        writeFileSync(file, configuration)
        const child = new Child('haproxy', paths.haproxy, ['-db', '-f', file])
        processes.push(child)
        // It binds every port before it serves one.
        await listening(child, Object.values(ports)[0] ?? 0)
        return { ports }
      }),
    ),
)
