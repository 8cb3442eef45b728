import { randomInt } from 'node:crypto'
import { Child } from '../child.ts'
import { withFreePorts } from '../port.ts'
import { carrying } from './carrying.ts'
import { linked, madeOf, starting } from './contender.ts'
import { peers } from './peers.ts'

/** A server in the middle and an agent for each service; the developer dials the server. */
export const bore = madeOf(
  ['bore'],
  { name: 'bore', security: 'plain', about: peers.bore },
  (paths, services, { link }) =>
    withFreePorts(Object.keys(services).length, free =>
      starting(async processes => {
        const begin = (role: string, args: readonly string[]): Child => {
          const child = new Child(role, paths.bore, args)
          processes.push(child)
          return child
        }
        // Agents find the server at a port that cannot be chosen, so that an address of its own is.
        const address = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`
        const server = begin('server', ['server', '--bind-addr', address, '--bind-tunnels', '127.0.0.1'])
        await server.line('stdout', 'word of listening', line => (line.includes('server listening') ? true : undefined))
        const ports: Record<string, number> = {}
        for (const [index, [name, service]] of Object.entries(services).entries()) {
          const port = free[index] ?? 0
          const from = [String(service), '--local-host', '127.0.0.1']
          const agent = begin(`agent ${name}`, ['local', ...from, '--to', address, '--port', String(port)])
          await agent.line('stdout', 'word of listening', line => (line.includes('listening at') ? true : undefined))
          ports[name] = port
        }
        await carrying(server, ports.echo ?? 0)
        return { ports: await linked(ports, link) }
      }),
    ),
)
