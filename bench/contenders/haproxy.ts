import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Certificate, host } from '../certificate.ts'
import { Child, scratch } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports } from '../services.ts'
import { type Conditions, starting, twins } from './contender.ts'
import { peers } from './peers.ts'

export const hops = 3

/**
 * The yardsticks: three TCP hops in one HAProxy process of two threads, a TCP connection per hop and connection. With
 * TLS, the second and the third hop end what the hop before them has begun.
 */
export const haproxy = twins(
  ['haproxy'],
  { name: 'haproxy', security: 'plain', about: peers.haproxy },
  (paths, services, { link }, files) =>
    withFreePorts(hops * Object.keys(services).length, free =>
      starting(async processes => {
        const { configuration, ports } = await chain(services, free, tcp, link, files)
        const file = join(scratch(), `haproxy-${Object.values(ports).join('-')}.cfg`)
        writeFileSync(file, configuration)
        const child = new Child('haproxy', paths.haproxy, ['-db', '-f', file])
        processes.push(child)
        // It binds every port before it serves one, and the echo service does not mind an empty connection.
        await listening(child, ports.echo ?? 0)
        return { ports }
      }),
    ),
)

const tcp = ['mode tcp']

/**
 * The hops as HAProxy reads them.
 * @param free ports to listen at: one for each service and hop
 * @param defaults of every hop, beside the timeouts
 */
export async function chain(
  services: Ports,
  free: readonly number[],
  defaults: readonly string[],
  link: Conditions['link'] = async port => port,
  files?: Certificate,
): Promise<{ configuration: string; ports: Ports }> {
  const lines = ['global', '  nbthread 2', 'defaults', ...defaults.map(line => `  ${line}`), '  timeout connect 5s']
  lines.push('  timeout client 1h', '  timeout server 1h')
  const [ended, begun] = files
    ? [` ssl crt ${files.pem}`, ` ssl verify required ca-file ${files.cert} verifyhost ${host}`]
    : ['', '']
  const ports: Record<string, number> = {}
  const listeners = free[Symbol.iterator]()
  for (const [name, service] of Object.entries(services)) {
    let dial = service
    for (let hop = hops; hop >= 1; hop--) {
      const listen = listeners.next().value ?? 0
      const bind = `bind 127.0.0.1:${listen}${hop > 1 ? ended : ''}`
      lines.push(`listen ${name}-${hop}`, `  ${bind}`, `  server next 127.0.0.1:${dial}${hop < hops ? begun : ''}`)
      dial = hop === 2 ? await link(listen) : listen
    }
    ports[name] = dial
  }
  return { configuration: `${lines.join('\n')}\n`, ports }
}
