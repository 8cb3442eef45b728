import { Child } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports } from '../services.ts'
import { madeOf, starting } from './contender.ts'
import { peers } from './peers.ts'

const hops = 3

/** A chain as of raw, but of WebSockets: what a connection costs that brings its own. */
export const websocat = madeOf(
  ['websocat'],
  { name: 'websocat', security: 'plain', about: peers.websocat },
  (paths, services, { link = async port => port }) =>
    withFreePorts(hops * Object.keys(services).length, free =>
      starting(async processes => {
        const listeners = free[Symbol.iterator]()
        const ports: { -readonly [name in keyof Ports]: number } = {}
        for (const [name, service] of Object.entries(services)) {
          let dial = `tcp:127.0.0.1:${service}`
          for (let hop = hops; hop >= 1; hop--) {
            const port = listeners.next().value ?? 0
            const listen = `${hop === 1 ? 'tcp-l' : 'ws-l'}:127.0.0.1:${port}`
            const child = new Child(`${name} ${hop}`, paths.websocat, ['--binary', listen, dial])
            processes.push(child)
            await listening(child, port)
            dial = `ws://127.0.0.1:${hop === 2 ? await link(port) : port}`
            ports[name as keyof Ports] = port
          }
        }
        return { ports }
      }),
    ),
)
