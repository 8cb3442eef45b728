/** `npm run bench:floods`: floods of every kind against a gateway and its agent, and what an honest client notices of each. */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { number } from '../arguments.ts'
import { Child, type ChildOptions } from '../child.ts'
import { event, listening, makeTokens, run, tunnelctlProgram } from '../contenders/tunnelctl.ts'
import { describeMachine, describeVersions } from '../machine.ts'
import { quantile } from '../statistics.ts'
import { beHonest, type Honest } from './honest.ts'
import { type Flood, floods } from './kinds.ts'
import { type Outcome, pageOf } from './page.ts'

/** Below what a container of the default manifests has left. */
const MAX_GROWTH_MIB = 256

const help = `Floods a gateway and an agent in every way there is, with an honest client beside each flood, on loopback.

npm run bench:floods -- [options]
  --only KIND,…    only these: ${floods.map(({ id }) => id).join(', ')}
  --seconds S      how long each flood lasts (default 5)
  --write FILE     write the page, as docs/benchmarks-floods.md is
  --help
Exit code: 0, 1 when an honest client lost something, or a process died or grew by more than ${MAX_GROWTH_MIB} MiB, 2 usage.
`

/** An honest client has as long to find its feet before it is measured. */
const WARM_UP_S = 1

process.exit(await main())

async function main(): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
  const options = { only: { type: 'string', multiple: true }, seconds: { type: 'string', default: '5' } } as const
  const { values } = parseArgs({ options: { ...options, write: { type: 'string' }, help: { type: 'boolean' } } })
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  const seconds = number('--seconds', values.seconds, 0.5, false)
  const only = values.only?.flatMap(each => each.split(','))
  const outcomes: Outcome[] = []
  for (const flood of floods.filter(({ id }) => only?.includes(id) !== false)) {
    process.stderr.write(`${flood.id}: ${flood.about}\n`)
    outcomes.push(await measure(flood, seconds))
  }
  const setting = { machine: describeMachine(), versions: describeVersions({}, [], tunnelctlProgram()), seconds }
  const page = pageOf(outcomes, setting)
  process.stdout.write(page)
  if (values.write !== undefined) writeFileSync(values.write, page)
  return outcomes.every(isHarmless) ? 0 : 1
}

function isHarmless({ failures, died, grownBytes: { gateway, agent } }: Outcome): boolean {
  return failures.length === 0 && died.length === 0 && Math.max(gateway, agent) < MAX_GROWTH_MIB * 2 ** 20
}

/** One flood, against processes of its own. */
async function measure(flood: Flood, seconds: number): Promise<Outcome> {
  const children: Child[] = []
  const start = (role: string, args: readonly string[], options?: ChildOptions): Child => {
    const child = new Child(role, process.execPath, [tunnelctlProgram() ?? '', role, ...args], options)
    children.push(child)
    return child
  }
  const own = async (role: string, file: string): Promise<number> => {
    const child = Child.own(role, file)
    children.push(child)
    return (await child.message<{ port: number }>()).port
  }
  try {
    const { key, agentToken, connectToken } = await makeTokens()
    const floodToken = await tokenOf('flood', key)
    const [echo, pour] = [await own('echo', 'processes/echo.ts'), await own('pour', 'processes/pour.ts')]
    const gateway = start('gateway', ['--listen', '127.0.0.1:0', '--verify-key', `${key}.pub`])
    const { address } = await listening(gateway)
    const url = `ws://${address}`
    const services = [
      `echo/bench:7=127.0.0.1:${echo}`,
      `pour/bench:9001=127.0.0.1:${pour}`,
      'nobody/bench:1=127.0.0.1:1',
    ]
    const agent = start('agent', ['--gateway', url, '--token-file', agentToken, '--service', services.join(',')])
    await agent.line('stderr', 'registered', line => event(line, 'registered'))
    const connect = start('connect', ['--gateway', url, '--token-file', connectToken, '127.0.0.1:0:echo/bench:7'])
    const port = await connect.line('stdout', 'a port', line => {
      const [, found] = /^Forwarding from \S+:(\d+) /.exec(line) ?? []
      return found === undefined ? undefined : Number(found)
    })
    await beHonest(port, WARM_UP_S)
    const before = await Promise.all([gateway.memory(), agent.memory()])
    const flooder = Child.own('flooder', 'floods/flooder.ts', [flood.id, address.split(':')[1] ?? '', floodToken])
    children.push(flooder)
    await flooder.message()
    const since = performance.now()
    const honest = await beHonest(port, seconds)
    const { times } = await flooder.request<{ times: number }>('how often')
    const after = await Promise.all([gateway.memory(), agent.memory()])
    const grown = after.map(({ rss }, index) => rss - (before[index]?.rss ?? 0))
    return {
      flood,
      ...figures(honest),
      perSecond: (times * 1_000) / (performance.now() - since),
      grownBytes: { gateway: grown[0] ?? 0, agent: grown[1] ?? 0 },
      died: [gateway, agent, connect].filter(({ end }) => end !== undefined).map(({ role, end }) => `${role}: ${end}`),
    }
  } finally {
    await Promise.all(children.map(child => child.kill()))
  }
}

/** Another tenant's, which may open everything too. */
async function tokenOf(subject: string, key: string): Promise<string> {
  const words = ['--role', 'connect', '--subject', subject, '--agent', 'bench', '--allow', '*/*:*', '--ttl', '1h']
  const file = `${key}.${subject}.token`
  writeFileSync(file, await run(['token', 'create', '--key', key, ...words]), { mode: 0o600 })
  return file
}

function figures({
  echoes,
  connections,
  failures,
}: Honest): Pick<Outcome, 'echoMs' | 'connectMs' | 'failures' | 'echoes'> {
  const at = (values: readonly number[], q: number) => (values.length === 0 ? Number.NaN : quantile(values, q))
  return {
    echoes: echoes.length,
    echoMs: { p50: at(echoes, 0.5), p99: at(echoes, 0.99), max: at(echoes, 1) },
    connectMs: { p50: at(connections, 0.5), p99: at(connections, 0.99), max: at(connections, 1) },
    failures,
  }
}
