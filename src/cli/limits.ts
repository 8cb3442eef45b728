/** `--limit NAME=VALUE`: what others may take of a gateway or an agent. The names and their defaults stand in docs/security.md. */
import type { Option } from 'commander'
import { type AgentLimits, defaultAgentLimits } from '../agent/limits.ts'
import { TunnelError } from '../errors.ts'
import { defaultGatewayLimits, type GatewayLimits } from '../gateway/limits.ts'
import { quote } from '../net/quote.ts'
import { mebibytes, repeated, timerFlag } from './options.ts'

interface Limit<T> {
  readonly key: keyof T
  readonly unit: 'count' | 'MiB' | 'duration'
}

export type LimitNames<T> = ReadonlyMap<string, Limit<T>>

export const gatewayLimitNames: LimitNames<GatewayLimits> = new Map([
  ['connections', { key: 'connections', unit: 'count' }],
  ['connections-per-address', { key: 'connectionsPerAddress', unit: 'count' }],
  ['arrivals-per-address', { key: 'arrivalsPerAddress', unit: 'count' }],
  ['arrival-time', { key: 'arrivalMs', unit: 'duration' }],
  ['stuck-time', { key: 'stuckMs', unit: 'duration' }],
  ['carriers-per-subject', { key: 'carriersPerSubject', unit: 'count' }],
  ['sessions-per-carrier', { key: 'sessionsPerCarrier', unit: 'count' }],
  ['comings-per-second', { key: 'comingsPerSecond', unit: 'count' }],
  ['work-per-second', { key: 'workPerSecond', unit: 'count' }],
  ['queued-memory', { key: 'queuedBytes', unit: 'MiB' }],
  ['ingress-memory', { key: 'ingressBytes', unit: 'MiB' }],
])

export const agentLimitNames: LimitNames<AgentLimits> = new Map([
  ['sessions', { key: 'sessions', unit: 'count' }],
  ['sessions-per-subject', { key: 'sessionsPerSubject', unit: 'count' }],
  ['streams-per-session', { key: 'streamsPerSession', unit: 'count' }],
  ['streams-per-subject', { key: 'streamsPerSubject', unit: 'count' }],
  ['dials-per-target', { key: 'dialsPerTarget', unit: 'count' }],
  ['vain-per-second', { key: 'vainPerSecond', unit: 'count' }],
  ['session-memory', { key: 'sessionBytes', unit: 'MiB' }],
  ['memory', { key: 'totalBytes', unit: 'MiB' }],
])

export interface LimitFlags {
  readonly limit?: readonly string[]
}

export const limitOption = (names: LimitNames<never>): Option =>
  repeated('--limit <name=value...>', `what others may take: ${[...names.keys()].join(', ')}`)

/** @throws TunnelError USAGE */
export const gatewayLimitsFrom = ({ limit }: LimitFlags): GatewayLimits =>
  limitsFrom(limit, gatewayLimitNames, defaultGatewayLimits)

/** @throws TunnelError USAGE */
export const agentLimitsFrom = ({ limit }: LimitFlags): AgentLimits =>
  limitsFrom(limit, agentLimitNames, defaultAgentLimits)

function limitsFrom<T>(given: readonly string[] = [], names: LimitNames<T>, defaults: T): T {
  const changed = given.map(text => {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
    const limit = names.get(name)
    if (limit !== undefined) return [limit.key, parsed(`--limit ${name}`, limit.unit, value)] as const
    throw new TunnelError('USAGE', `--limit ${quote(text)} is no limit and a value`, {
      hint: `write it as name=value; there are ${[...names.keys()].join(', ')}`,
    })
  })
  return { ...defaults, ...Object.fromEntries(changed) }
}

function parsed(flag: string, unit: Limit<never>['unit'], text: string): number {
  if (unit === 'MiB') return mebibytes(flag, text)
  if (unit === 'duration') return timerFlag(flag, text, 100)
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text)
  throw new TunnelError('USAGE', `${flag} ${quote(text)} is not a whole number from 1`, { hint: '' })
}
