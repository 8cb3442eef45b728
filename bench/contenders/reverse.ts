import { Child } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports } from '../services.ts'
import { carrying } from './carrying.ts'
import { type Conditions, type Running, starting } from './contender.ts'

/** What is typed where. */
export interface Commands {
  /** In the middle: waits for both ends. */
  server(port: number): readonly string[]
  /** At the services: has the middle listen at each `listen`, and dials `dial` for what comes. */
  agent(server: number, forwards: readonly Forward[]): readonly string[]
  /** At the developer: listens at each `listen`, and has the middle dial `dial`. */
  client(server: number, forwards: readonly Forward[]): readonly string[]
}

/** Loopback ports. */
export interface Forward {
  readonly listen: number
  readonly dial: number
}

/** The way through a tunnel that forwards in both directions: its server dials what it listens at itself. */
export function reverse(commands: Commands, services: Ports, { link }: Conditions): Promise<Running> {
  const names = Object.keys(services)
  return withFreePorts(1 + 2 * names.length, ([port = 0, ...free]) =>
    starting(async processes => {
      const begin = (role: string, [program = '', ...args]: readonly string[]): Child => {
        const child = new Child(role, program, args)
        processes.push(child)
        return child
      }
      const inner = Object.values(services).map((dial, index) => ({ listen: free[index] ?? 0, dial }))
      const outer = inner.map(({ listen }, index) => ({ listen: free[names.length + index] ?? 0, dial: listen }))
      const ports: Ports = Object.fromEntries(names.map((name, index) => [name, outer[index]?.listen]))
      await listening(begin('server', commands.server(port)), port)
      const agent = begin('agent', commands.agent(port, inner))
      await carrying(agent, inner[names.indexOf('echo')]?.listen ?? 0)
      const client = begin('client', commands.client(link ? await link(port) : port, outer))
      await carrying(client, ports.echo ?? 0)
      return { ports }
    }),
  )
}
