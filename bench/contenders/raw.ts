import { Child } from '../child.ts'
import { type Contender, starting } from './contender.ts'

const hops = ['hop 1', 'hop 2', 'hop 3']

/** Three Node processes that pipe sockets: no protocol, no multiplexing, a TCP connection per hop and connection. */
export const raw = (): Contender => ({
  name: 'raw',
  security: 'plain',
  about: { hops: hops.length, transport: 'a TCP connection per connection' },
  start: (services, { probe, link = async port => port }) =>
    starting(async processes => {
      const names = Object.keys(services)
      const chain = hops.map(role => Child.own(role, 'processes/hop.ts', [String(names.length)], probe))
      processes.push(...chain)
      const [near = [], middle = [], far = []] = await Promise.all(chain.map(child => child.message<number[]>()))
      const dial = [await Promise.all(middle.map(link)), far, Object.values(services)]
      await Promise.all(chain.map((child, hop) => child.request(dial[hop] ?? [])))
      return { ports: Object.fromEntries(names.map((name, index) => [name, near[index]])) }
    }),
})
