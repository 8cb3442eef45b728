/** Hosts of their own on one machine: network namespaces, joined by links, for what crosses a network. Needs root, as CI has. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Process, type ProcessOptions } from './processes.ts'
import { findProgram, programAt, run, start } from './servers.ts'
import type { Scope } from './tunnel.ts'

/** Whether this machine lets us have them. */
export const mayMakeNetworks = (): boolean =>
  process.platform === 'linux' && userInfo().uid === 0 && findProgram('ip') !== undefined

let made = 0

export class Host {
  readonly name: string
  readonly #scope: Scope

  private constructor(scope: Scope, name: string) {
    this.#scope = scope
    this.name = name
  }

  /** @param resolv what its /etc/resolv.conf says */
  static async create(scope: Scope, role: string, resolv: string): Promise<Host> {
    const host = new Host(scope, `tc-${process.pid}-${++made}-${role}`)
    const etc = join('/etc/netns', host.name)
    mkdirSync(etc, { recursive: true })
    writeFileSync(join(etc, 'resolv.conf'), resolv)
    scope.after(async () => {
      await new Process('ip', programAt('ip'), ['netns', 'del', host.name]).finished()
      rmSync(etc, { recursive: true })
    })
    await run(scope, 'ip', ['netns', 'add', host.name])
    await host.ip('link', 'set', 'lo', 'up')
    return host
  }

  async ip(...args: string[]): Promise<void> {
    await run(this.#scope, 'ip', ['-n', this.name, ...args])
  }

  /** Addresses that stand for services and pods: any program here may listen at them. */
  async have(...addresses: string[]): Promise<void> {
    for (const address of addresses) await this.ip('addr', 'add', address, 'dev', 'lo')
  }

  /** Both get an address on the link between them; nothing else is routed. */
  async join(other: Host, own: string, theirs: string): Promise<void> {
    const [a, b] = [`v${++made}a${process.pid}`.slice(0, 15), `v${made}b${process.pid}`.slice(0, 15)]
    await run(this.#scope, 'ip', [
      'link',
      'add',
      a,
      'netns',
      this.name,
      'type',
      'veth',
      'peer',
      'name',
      b,
      'netns',
      other.name,
    ])
    for (const [host, link, address] of [
      [this, a, own],
      [other, b, theirs],
    ] as const) {
      await host.ip('addr', 'add', `${address}/24`, 'dev', link)
      await host.ip('link', 'set', link, 'up')
    }
  }

  /** A program there, which is started as `user` when one is named. */
  start(name: string, args: readonly string[], { user, ...options }: ProcessOptions & { user?: string } = {}): Process {
    const as = user === undefined ? [] : [programAt('setpriv'), `--reuid=${user}`, `--regid=${user}`, '--clear-groups']
    const program = name.startsWith('/') ? name : programAt(name)
    return start(this.#scope, 'ip', ['netns', 'exec', this.name, ...as, program, ...args], options)
  }
}
