import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import { carrying } from './carrying.ts'
import { linked, madeOf, starting } from './contender.ts'
import { peers } from './peers.ts'

/** A server in the middle, where the developer dials, and an agent at the services. */
export const rathole = madeOf(
  ['rathole'],
  { name: 'rathole', security: 'plain', about: peers.rathole },
  (paths, services, { link }) => {
    const names = Object.keys(services)
    return withFreePorts(1 + names.length, ([port = 0, ...free]) =>
      starting(async processes => {
        const begin = (role: string, configuration: readonly string[]): Child => {
          const file = join(scratch(), `rathole-${port}-${role}.toml`)
          writeFileSync(file, `${configuration.join('\n')}\n`, { mode: 0o600 })
          const child = new Child(role, paths.rathole, [`--${role}`, file])
          processes.push(child)
          return child
        }
        const token = 'default_token = "bench"'
        const server = begin('server', [
          ...['[server]', `bind_addr = "127.0.0.1:${port}"`, token],
          ...names.flatMap((name, index) => [`[server.services.${name}]`, `bind_addr = "127.0.0.1:${free[index]}"`]),
        ])
        await listening(server, port)
        begin('client', [
          ...['[client]', `remote_addr = "127.0.0.1:${port}"`, token],
          ...Object.entries(services).flatMap(([name, service]) => [
            `[client.services.${name}]`,
            `local_addr = "127.0.0.1:${service}"`,
          ]),
        ])
        const ports: Record<string, number> = Object.fromEntries(names.map((name, index) => [name, free[index] ?? 0]))
        await carrying(server, ports.echo ?? 0)
        return { ports: await linked(ports, link) }
      }),
    )
  },
)
