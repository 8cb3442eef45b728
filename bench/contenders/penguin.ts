import type { Certificate } from '../certificate.ts'
import { Child } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports, ServiceName } from '../services.ts'
import { carrying } from './carrying.ts'
import { type Conditions, type Running, starting, twins } from './contender.ts'
import { peers } from './peers.ts'

/** A chisel in Rust without reverse remotes: a client, and a server that reaches the services. */
export const penguin = twins(
  ['penguin'],
  { name: 'penguin', security: 'plain', about: peers.penguin },
  (paths, services, conditions, files) => start(1, paths.penguin, services, conditions, files),
)

/** Two of them in a row, so that there is a middle as the others have it. */
export const penguinTwice = twins(
  ['penguin'],
  { name: 'penguin-twice', security: 'plain', about: peers['penguin-twice'] },
  (paths, services, conditions, files) => start(2, paths.penguin, services, conditions, files),
)

function start(
  tunnels: number,
  program: string,
  services: Ports,
  { link = async port => port }: Conditions,
  files?: Certificate,
): Promise<Running> {
  const names = Object.keys(services) as ServiceName[]
  const [scheme, own, trusted] = files
    ? ['wss', ['--tls-cert', files.cert, '--tls-key', files.key], ['--tls-ca', files.cert]]
    : ['ws', [], []]
  return withFreePorts(tunnels * (1 + names.length), free =>
    starting(async processes => {
      const unused = free[Symbol.iterator]()
      const next = (): number => unused.next().value ?? 0
      const begin = (role: string, args: readonly string[]): Child => {
        const child = new Child(role, program, args)
        processes.push(child)
        return child
      }
      let ports = services
      for (let tunnel = tunnels; tunnel >= 1; tunnel--) {
        const port = next()
        const server = begin(`server ${tunnel}`, ['server', '--host', '127.0.0.1', '--port', String(port), ...own])
        await listening(server, port)
        const far = ports
        const near: Ports = Object.fromEntries(names.map(name => [name, next()]))
        const remotes = names.map(name => `127.0.0.1:${near[name]}:127.0.0.1:${far[name]}`)
        const url = `${scheme}://127.0.0.1:${tunnel === 1 ? await link(port) : port}/ws`
        await carrying(begin(`client ${tunnel}`, ['client', ...trusted, url, ...remotes]), near.echo ?? 0)
        ports = near
      }
      return { ports }
    }),
  )
}
