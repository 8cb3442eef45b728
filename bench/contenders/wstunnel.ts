import type { Certificate } from '../certificate.ts'
import { twins } from './contender.ts'
import { peers } from './peers.ts'
import { type Commands, type Forward, reverse } from './reverse.ts'

/** Written from wstunnel's help (10), and not run where it was written: the program could not be had there. */
export const wstunnel = twins(
  ['wstunnel'],
  { name: 'wstunnel', security: 'plain', about: peers.wstunnel },
  (paths, services, conditions, files) => reverse(commands(paths.wstunnel, files), services, conditions),
)

function commands(program: string, files?: Certificate): Commands {
  const [scheme, own] = files ? ['wss', ['--tls-certificate', files.cert, '--tls-private-key', files.key]] : ['ws', []]
  // It has no option for an authority: it trusts the system's, and its TLS library takes those from this variable.
  const verifying = ['/usr/bin/env', `SSL_CERT_FILE=${files?.cert}`, program, 'client', '--tls-verify-certificate']
  const client = (server: number, direction: '-L' | '-R', forwards: readonly Forward[]): string[] => [
    ...(files ? verifying : [program, 'client']),
    ...forwards.flatMap(({ listen, dial }) => [direction, `tcp://127.0.0.1:${listen}:127.0.0.1:${dial}`]),
    `${scheme}://127.0.0.1:${server}`,
  ]
  return {
    server: port => [program, 'server', ...own, `${scheme}://127.0.0.1:${port}`],
    agent: (server, forwards) => client(server, '-R', forwards),
    client: (server, forwards) => client(server, '-L', forwards),
  }
}
