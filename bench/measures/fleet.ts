/** One gateway of tunnelctl with several agents, for more clients than one agent takes. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import { event, listening, run } from '../contenders/tunnelctl.ts'

export interface Fleet {
  /** Its URL. */
  readonly url: string
  readonly gateway: Child
  readonly agents: readonly Child[]
  /** As the clients name them. */
  readonly names: readonly string[]
  /** One for each of the persons who connect; good for every agent. */
  readonly tokens: readonly string[]
  stop(): Promise<void>
}

export interface FleetOptions {
  readonly program: string
  readonly agents: number
  readonly subjects: number
  /** As `--service` of an agent takes it. */
  readonly service: string
}

export async function startFleet({ program, agents, subjects, service }: FleetOptions): Promise<Fleet> {
  const folder = mkdtempSync(join(scratch(), 'fleet-'))
  const key = join(folder, 'key')
  await run(['token', 'keygen', '--out', key])
  const token = (role: string, subject: string, agent: string, more: readonly string[] = []) =>
    run([
      ...['token', 'create', '--key', key, '--ttl', '1h', '--role', role, '--subject', subject, '--agent', agent],
      ...more,
    ])
  const started: Child[] = []
  const start = (role: string, args: readonly string[], name = role): Child => {
    const child = new Child(name, process.execPath, [program, role, ...args])
    started.push(child)
    return child
  }
  const stop = async () => {
    await Promise.all(started.map(child => child.stop()))
  }
  try {
    const names = Array.from({ length: agents }, (_, index) => `agent-${index + 1}`)
    const tokens = await inTurn(subjects, index => token('connect', `person-${index}`, '*', ['--allow', '*/*:*']))
    const files = await inTurn(agents, async index => {
      const file = join(folder, `${index}.token`)
      writeFileSync(file, await token('agent', `machine-${index}`, names[index] ?? ''), { mode: 0o600 })
      return file
    })
    const gateway = start('gateway', [
      ...['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--log-format', 'json'],
      ...['--verify-key', `${key}.pub`],
    ])
    const url = `ws://${(await listening(gateway)).address}`
    for (const [index, name] of names.entries())
      start('agent', ['--gateway', url, '--token-file', files[index] ?? '', '--service', service], name)
    const served = started.slice(1)
    await Promise.all(
      served.map(agent => agent.line('stderr', 'event "registered"', line => event(line, 'registered'))),
    )
    return { url, gateway, agents: served, names, tokens: tokens.map(text => text.trim()), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function inTurn<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  for (let index = 0; index < count; index++) made.push(await make(index))
  return made
}
