import type { Certificate } from '../certificate.ts'
import { twins } from './contender.ts'
import { peers } from './peers.ts'
import { type Commands, type Forward, reverse } from './reverse.ts'

/**
 * Written from chisel's README (1.10), and not run where it was written: the program could not be had there. Its own
 * SSH cannot be turned off, so that it is one of the encrypted even without TLS.
 */
export const chisel = twins(
  ['chisel'],
  { name: 'chisel', security: 'tls', about: peers.chisel },
  (paths, services, conditions, files) => reverse(commands(paths.chisel, files), services, conditions),
)

function commands(program: string, files?: Certificate): Commands {
  const [scheme, own, trusted] = files
    ? ['https', ['--tls-cert', files.cert, '--tls-key', files.key], ['--tls-ca', files.cert]]
    : ['http', [], []]
  const client = (server: number, direction: '' | 'R:', forwards: readonly Forward[]): string[] => [
    ...[program, 'client', ...trusted, `${scheme}://127.0.0.1:${server}`],
    ...forwards.map(({ listen, dial }) => `${direction}127.0.0.1:${listen}:127.0.0.1:${dial}`),
  ]
  return {
    server: port => [program, 'server', '--host', '127.0.0.1', '--port', String(port), '--reverse', ...own],
    agent: (server, forwards) => client(server, 'R:', forwards),
    client: (server, forwards) => client(server, '', forwards),
  }
}
