import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { Ports, ServiceName } from '../services.ts'
import { carrying } from './carrying.ts'
import { madeOf, starting } from './contender.ts'
import { peers } from './peers.ts'

/** Local forwards through a jump host: a sshd in the middle and one at the services, both with one host key. */
export const openssh = madeOf(
  ['ssh', 'sshd', 'ssh-keygen'],
  { name: 'openssh', security: 'tls', about: peers.openssh },
  (paths, services, { link = async port => port }) => {
    const names = Object.keys(services) as ServiceName[]
    return withFreePorts(2 + names.length, ([jump = 0, target = 0, ...free]) =>
      starting(async processes => {
        const folder = mkdtempSync(join(scratch(), 'ssh-'))
        for (const name of ['host', 'login']) await makeKey(paths['ssh-keygen'], join(folder, name))
        // The folder that a sshd of root locks itself into; on a machine with systemd the service makes it.
        if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
        for (const [role, port] of [
          ['jump sshd', jump],
          ['target sshd', target],
        ] as const) {
          const file = join(folder, `sshd-${port}`)
          writeFileSync(file, `${serverLines(folder, port).join('\n')}\n`)
          const child = new Child(role, paths.sshd, ['-D', '-e', '-f', file])
          processes.push(child)
          await listening(child, port)
        }
        const ports: Ports = Object.fromEntries(names.map((name, index) => [name, free[index]]))
        const file = join(folder, 'config')
        writeFileSync(file, `${clientLines(folder, await link(jump), target).join('\n')}\n`)
        const forwards = names.flatMap(name => ['-L', `127.0.0.1:${ports[name]}:127.0.0.1:${services[name]}`])
        const client = new Child('ssh', paths.ssh, ['-N', '-F', file, '-J', 'jump', ...forwards, 'target'])
        processes.push(client)
        await carrying(client, ports.echo ?? 0)
        return { ports }
      }),
    )
  },
)

async function makeKey(program: string, file: string): Promise<void> {
  const child = new Child('ssh-keygen', program, ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  if ((await child.finished(10_000)) !== 0) throw new Error(`ssh-keygen ${child.end}`)
  chmodSync(file, 0o600)
}

function serverLines(folder: string, port: number): string[] {
  return [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    'PidFile none',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'login.pub')}`,
    // The folder is in a temporary one, which everybody may write to.
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
  ]
}

/** Both names lead to loopback; the target is dialled by the jump host, so that no link is on the way to it. */
function clientLines(folder: string, jump: number, target: number): string[] {
  const known = join(folder, 'known_hosts')
  const hostKey = readFileSync(join(folder, 'host.pub'), 'utf8')
  writeFileSync(known, `bench ${hostKey}`)
  return [
    ...['Host jump', `Port ${jump}`],
    ...['Host target', `Port ${target}`],
    'Host *',
    'HostName 127.0.0.1',
    'HostKeyAlias bench',
    `User ${userInfo().username}`,
    `IdentityFile ${join(folder, 'login')}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${known}`,
    'GlobalKnownHostsFile none',
    'StrictHostKeyChecking yes',
    'BatchMode yes',
    'ExitOnForwardFailure yes',
  ]
}
