import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child, scratch } from '../child.ts'
import type { Ports, ServiceName } from '../services.ts'
import { starting, twins } from './contender.ts'

/** Port numbers of the targets: names for the agent's catalogue, nothing listens there. */
const targetPorts: { readonly [name in ServiceName]?: number } = {
  ...{ echo: 7, http: 80, iperf: 5201, blob: 9000, pour: 9001 },
}

const program = fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))
const bundle = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** The program to measure; undefined until it is built. */
export const tunnelctlProgram = (): string | undefined =>
  existsSync(program) && existsSync(bundle) ? program : undefined

/** Gateway, agent and connect as three processes, the way a user starts them. */
export const tunnelctl = twins(
  [],
  {
    name: 'tunnelctl',
    security: 'plain',
    about: { hops: 3, transport: 'streams in one WebSocket per leg' },
    ...(tunnelctlProgram() === undefined ? { missing: 'unbuilt' } : {}),
  },
  (_, services, { probe = false, link = async port => port }, files) =>
    starting(async processes => {
      const { key, agentToken, connectToken } = await makeTokens()
      const start = (role: string, args: readonly string[]): Child => {
        const child = new Child(role, process.execPath, [program, role, ...args], { probe })
        processes.push(child)
        return child
      }
      const [scheme, own, trusted] = files
        ? ['wss', ['--tls-cert', files.cert, '--tls-key', files.key], ['--ca-file', files.cert]]
        : ['ws', [], []]

      const startGateway = (listen: string): Child =>
        start('gateway', [
          ...['--listen', listen, '--admin-listen', '127.0.0.1:0', ...own],
          ...['--verify-key', `${key}.pub`, '--log-format', 'json'],
        ])
      let gateway = startGateway('127.0.0.1:0')
      const { address } = await listening(gateway)
      const url = `${scheme}://${address}`

      const agent = start('agent', [
        ...['--gateway', url, '--token-file', agentToken, ...trusted],
        ...names(services).flatMap(name => ['--service', `${target(name)}=127.0.0.1:${services[name]}`]),
      ])
      await agent.line('stderr', 'event "registered"', line => event(line, 'registered'))

      const dialled = `${scheme}://127.0.0.1:${await link(Number(new URL(url).port))}`
      const connect = start('connect', [
        ...['--gateway', dialled, '--token-file', connectToken, ...trusted],
        ...names(services).map(name => `127.0.0.1:0:${target(name)}`),
      ])
      const ports: Record<string, number> = {}
      for (const name of names(services)) {
        const wanted = `the line that ends in "-> ${target(name)}"`
        ports[name] = await connect.line('stdout', wanted, line => forwardedPort(line, target(name)))
      }
      const restart = async (outageMs: number): Promise<number> => {
        await gateway.kill()
        await sleep(outageMs)
        processes.splice(processes.indexOf(gateway), 1)
        gateway = startGateway(address)
        return (await listening(gateway)).since
      }
      return { ports, restart }
    }),
)

/** Files: a key, a token of the agent `bench`, and one of who may use it. */
export async function makeTokens(): Promise<{ key: string; agentToken: string; connectToken: string }> {
  const folder = mkdtempSync(join(scratch(), 'tokens-'))
  const key = join(folder, 'key')
  await run(['token', 'keygen', '--out', key])
  const token = async (role: string, args: readonly string[]): Promise<string> => {
    const file = join(folder, `${role}.token`)
    const made = await run([
      'token',
      'create',
      '--key',
      key,
      '--role',
      role,
      '--agent',
      'bench',
      '--ttl',
      '1h',
      ...args,
    ])
    writeFileSync(file, made, { mode: 0o600 })
    return file
  }
  return {
    key,
    agentToken: await token('agent', ['--subject', 'bench-agent']),
    connectToken: await token('connect', ['--subject', 'bench', '--allow', '*/*:*']),
  }
}

/** What one short command prints. */
export async function run(args: readonly string[]): Promise<string> {
  const child = new Child(args.slice(0, 2).join(' '), process.execPath, [program, ...args])
  if ((await child.finished(10_000)) !== 0) throw new Error(`tunnelctl ${child.role} ${child.end}`)
  return child.stdout
}

const names = (services: Ports): ServiceName[] => Object.keys(services) as ServiceName[]
const target = (name: ServiceName): string => `${name}/bench:${targetPorts[name]}`

/** The port in `Forwarding from 127.0.0.1:5432 -> db/prod:5432`; undefined when the line is about another target. */
function forwardedPort(line: string, to: string): number | undefined {
  const [, port, forwarded] = /^Forwarding from \S+:(\d+) -> (\S+)$/.exec(line) ?? []
  return forwarded === to ? Number(port) : undefined
}

/** The line as an event of that name; undefined when it is another one, or no JSON. */
export function event(line: string, name: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line) as Record<string, unknown> | null
    return value?.event === name ? value : undefined
  } catch {
    return undefined
  }
}

/** Resolves when the gateway accepts connections: where, and since when, in ms since 1970. */
export function listening(gateway: Child): Promise<{ readonly address: string; readonly since: number }> {
  return gateway.line('stderr', 'event "listening" with address and time', line => {
    const { address, time } = event(line, 'listening') ?? {}
    return typeof address === 'string' && typeof time === 'string' ? { address, since: Date.parse(time) } : undefined
  })
}
