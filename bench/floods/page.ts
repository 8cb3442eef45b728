/** The page of the floods, in Markdown. */
import type { Machine } from '../machine.ts'
import type { Flood } from './kinds.ts'

interface Latency {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface Outcome {
  readonly flood: Pick<Flood, 'id' | 'about'>
  readonly echoes: number
  /** Milliseconds, of the honest client. */
  readonly echoMs: Latency
  readonly connectMs: Latency
  readonly failures: readonly string[]
  /** How often the flooder did what it does. */
  readonly perSecond: number
  readonly grownBytes: { readonly gateway: number; readonly agent: number }
  /** Processes that have ended, with how. */
  readonly died: readonly string[]
}

export interface FloodSetting {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly seconds: number
}

export function pageOf(outcomes: readonly Outcome[], { machine, versions, seconds }: FloodSetting): string {
  const rows = outcomes.map(({ flood, echoMs, connectMs, failures, perSecond, grownBytes, died, echoes }) =>
    [
      flood.id,
      Math.round(perSecond).toLocaleString('en'),
      latency(echoMs),
      latency(connectMs),
      failures.length === 0 ? `none of ${echoes.toLocaleString('en')}` : failures.join('; '),
      `${mib(grownBytes.gateway)} / ${mib(grownBytes.agent)}`,
      died.length === 0 ? 'none' : died.join('; '),
    ].join(' | '),
  )
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    '# Floods',
    '',
    'What an honest client notices while somebody floods the gateway that it uses. Gateway, agent, connect, the service, the flooder and the',
    `measuring share ${machine.cores} cores (${machine.cpu}, ${machine.kernel}); each flood has new processes and lasts ${seconds} s. The flooder has a good`,
    'token, does what it does as fast as it can, and comes back whenever it is thrown out. The honest client is of another subject: it',
    'echoes 64 bytes every 3 ms over one connection, and opens a new one ten times in a second. Milliseconds: p50 / p99 / most.',
    '',
    '| flood | in a second | echo | new connection | lost | memory of gateway / agent, MiB more | died |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(row => `| ${row} |`),
    '',
    ...outcomes.map(({ flood }) => `- **${flood.id}**: ${flood.about}`),
    '',
    `${software.join(', ')}; \`npm run bench:floods -- --write docs/benchmarks-floods.md\`.`,
    '',
  ].join('\n')
}

const latency = ({ p50, p99, max }: Latency): string => [p50, p99, max].map(ms => ms.toFixed(1)).join(' / ')

const mib = (bytes: number): string => String(Math.round(bytes / 2 ** 20))
