import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports } from '../services.ts'
import type { Tools } from '../tools.ts'
import { type Contender, starting } from './contender.ts'

const hops = 3

/** The yardstick: three TCP hops in one HAProxy process of two threads, a TCP connection per hop and connection. */
export const haproxy = (tools: Tools): Contender => {
  const { haproxy: tool } = tools
  if (!tool)
    return {
      name: 'haproxy',
      security: 'plain',
      missing: 'haproxy',
      start: () => Promise.reject(new Error('no haproxy')),
    }
  return {
    name: 'haproxy',
    security: 'plain',
    start: services =>
      withFreePorts(hops * Object.keys(services).length, free =>
        starting(async processes => {
          const { configuration, ports } = chain(services, free)
          const file = join(scratch(), `haproxy-${Object.values(ports).join('-')}.cfg`)
          writeFileSync(file, configuration)
          const child = new Child('haproxy', tool.path, ['-db', '-f', file])
          processes.push(child)
          // It binds every port before it serves one, and the echo service does not mind an empty connection.
          await listening(child, ports.echo ?? 0)
          return { ports }
        }),
      ),
  }
}

function chain(services: Ports, free: readonly number[]): { configuration: string; ports: Ports } {
  const lines = ['global', '  nbthread 2', 'defaults', '  mode tcp', '  timeout connect 5s']
  lines.push('  timeout client 1h', '  timeout server 1h')
  const ports: Record<string, number> = {}
  const listeners = free[Symbol.iterator]()
  for (const [name, service] of Object.entries(services)) {
    let dial = service
    for (let hop = hops; hop >= 1; hop--) {
      const listen = listeners.next().value ?? 0
      lines.push(`listen ${name}-${hop}`, `  bind 127.0.0.1:${listen}`, `  server next 127.0.0.1:${dial}`)
      dial = listen
    }
    ports[name] = dial
  }
  return { configuration: `${lines.join('\n')}\n`, ports }
}
