import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificate } from '../certificate.ts'
import { Child, scratch } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports, ServiceName } from '../services.ts'
import { carrying } from './carrying.ts'
import { starting, twins } from './contender.ts'
import { peers } from './peers.ts'

/**
 * frps in the middle, a frpc at the services, and a frpc at the developer that visits what the other one offers.
 *
 * Written from the full examples that come with frp (0.6x), and not run where it was written: the programs could not
 * be had there.
 */
export const frp = twins(
  ['frps', 'frpc'],
  { name: 'frp', security: 'plain', about: peers.frp, cutsHalfOpen: true },
  (paths, services, { link = async port => port }, files) => {
    const names = Object.keys(services) as ServiceName[]
    return withFreePorts(1 + names.length, ([port = 0, ...free]) =>
      starting(async processes => {
        const begin = (role: string, program: string, configuration: readonly string[]): Child => {
          const file = join(scratch(), `frp-${port}-${role}.toml`)
          writeFileSync(file, `${configuration.join('\n')}\n`, { mode: 0o600 })
          const child = new Child(role, program, ['-c', file])
          processes.push(child)
          return child
        }
        const ports: Ports = Object.fromEntries(names.map((name, index) => [name, free[index]]))
        await listening(begin('frps', paths.frps, serverLines(port, files)), port)
        const offers = names.flatMap(name => offerLines(name, services[name] ?? 0))
        const agent = begin('agent', paths.frpc, [...clientLines(port, files), ...offers])
        await agent.until('proxies', () => {
          const started = agent.stdout.split('start proxy success').length - 1
          return started === names.length ? true : undefined
        })
        const visits = names.flatMap(name => visitLines(name, ports[name] ?? 0))
        const client = begin('client', paths.frpc, [...clientLines(await link(port), files), ...visits])
        await carrying(client, ports.echo ?? 0)
        return { ports }
      }),
    )
  },
)

function serverLines(port: number, files?: Certificate): string[] {
  const own = files && [
    'transport.tls.force = true',
    `transport.tls.certFile = "${files.cert}"`,
    `transport.tls.keyFile = "${files.key}"`,
  ]
  return ['bindAddr = "127.0.0.1"', `bindPort = ${port}`, 'log.disablePrintColor = true', ...(own ?? [])]
}

/** The protocol `wss` is for a proxy before frps that ends TLS; frps itself takes TLS within the WebSocket. */
function clientLines(port: number, files?: Certificate): string[] {
  return [
    'serverAddr = "127.0.0.1"',
    `serverPort = ${port}`,
    'log.disablePrintColor = true',
    'transport.protocol = "websocket"',
    `transport.tls.enable = ${files !== undefined}`,
    ...(files ? [`transport.tls.trustedCaFile = "${files.cert}"`] : []),
  ]
}

/** Nobody else is on the loopback of the bench, but frp wants a secret. */
const secret = 'secretKey = "bench"'

function offerLines(name: string, port: number): string[] {
  return ['[[proxies]]', `name = "${name}"`, 'type = "stcp"', secret, 'localIP = "127.0.0.1"', `localPort = ${port}`]
}

function visitLines(name: string, port: number): string[] {
  const visit = ['[[visitors]]', `name = "${name}-visitor"`, 'type = "stcp"', `serverName = "${name}"`, secret]
  return [...visit, 'bindAddr = "127.0.0.1"', `bindPort = ${port}`]
}
