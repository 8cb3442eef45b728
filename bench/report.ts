/** The comparison as a person reads it, and as a program does. */
import type { Comparison } from './comparison.ts'
import type { Contender } from './contenders/contender.ts'
import { yardstickOf } from './contenders/contenders.ts'
import type { Machine } from './machine.ts'
import { formatPart } from './table.ts'

/** Under which conditions was measured. */
export interface Setting {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  /** All that were asked for, also those that could not run. */
  readonly contenders: readonly Contender[]
  readonly rounds: number
  readonly longRounds: number
  readonly seconds: number
  readonly idle: number
  readonly verifyBytes: number
}

const yardsticks = { plain: yardstickOf('plain'), tls: yardstickOf('tls') }

export function formatText(setting: Setting, comparison: Comparison): string {
  const nameWidth = Math.max(...setting.contenders.map(({ name }) => name.length))
  const lines = [...formatSetting(setting), '', formatChecks(comparison)]
  for (const part of comparison.parts) lines.push('', ...formatPart(part, nameWidth))
  return `${lines.join('\n')}\n`
}

/**
 * One object. `results` holds every figure of every contender, or of one of its `process`es, in the unit that it names;
 * `part` is the id of one of `parts`. A result without `median` says in `skipped` or `failed` why.
 */
export function formatJson(setting: Setting, comparison: Comparison): string {
  const contenders = setting.contenders.map(({ name, security, about, programs, missing }) => {
    return { name, security, ...about, ...(programs && { programs }), ...(missing !== undefined && { missing }) }
  })
  const { checks, failed } = comparison
  const parts = comparison.parts.map(({ results: _, ...part }) => part)
  const results = comparison.parts.flatMap(part => part.results)
  return `${JSON.stringify({ v: 2, ...setting, yardsticks, contenders, checks, parts, results, failed }, null, 2)}\n`
}

function formatSetting({ machine, versions, rounds, longRounds, seconds, verifyBytes }: Setting): string[] {
  const { cpu, cores, memoryGiB, kernel } = machine
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const verified = verifyBytes > 0 ? `, ${verifyBytes / 2 ** 20} MiB verified each way` : ''
  const times = `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s, long measures ${longRounds} ×`
  return [
    `machine   ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}`,
    `versions  ${names.join(', ')}`,
    `measured  ${times}${verified}`,
    `ratio     to ${yardsticks.plain}, with TLS to ${yardsticks.tls}: the median of the rounds`,
  ]
}

/** What was compared, by contender. */
function formatChecks({ checks }: Comparison): string {
  const byContender = new Map<string, string[]>()
  for (const { contender, check } of checks) {
    const done = byContender.get(contender) ?? []
    byContender.set(contender, [...done, check])
  }
  const carried = [...byContender].map(([contender, done]) => `${contender} (${done.join(', ')})`)
  return `carried right: ${carried.join('; ') || 'none'}`
}
