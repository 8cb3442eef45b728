/** The comparison as a person reads it, and as a program does. */
import type { Check } from './checks.ts'
import type { Comparison } from './comparison.ts'
import type { Contender, Security } from './contenders/contender.ts'
import { yardstickOf } from './contenders/contenders.ts'
import type { About } from './contenders/peers.ts'
import type { Machine } from './machine.ts'
import type { Part } from './part.ts'
import type { Result } from './result.ts'
import { formatPart } from './table.ts'
import { installs, type ToolName } from './tools.ts'

/** Under which conditions was measured. */
export interface Circumstances {
  /** Of the start, in ISO 8601. */
  readonly date: string
  /** What was typed, less what names files. */
  readonly command: string
  /** How long it took. */
  readonly minutes: number
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly longRounds: number
  readonly seconds: number
  readonly idle: number
  readonly verifyBytes: number
}

export interface Setting extends Circumstances {
  /** All that were asked for, also those that could not run. */
  readonly contenders: readonly Contender[]
}

/** A contender, as far as a reader cares. */
export interface Described extends Partial<About> {
  readonly name: string
  readonly security: Security
  readonly programs?: readonly ToolName[]
  readonly missing?: string
}

/**
 * The whole of it, for a program. `results` holds every figure of every contender, or of one of its `process`es, in the
 * unit that it names; `part` is the id of one of `parts`. A result without `median` says in `skipped` or `failed` why.
 */
export interface Report extends Circumstances {
  readonly v: 3
  readonly yardsticks: Readonly<Record<Security, string>>
  readonly contenders: readonly Described[]
  /** By the word that `missing` or `skipped` has for a thing, what gets it; not of all. */
  readonly installs: Readonly<Record<string, string>>
  readonly checks: readonly Check[]
  readonly parts: readonly Omit<Part, 'results'>[]
  readonly results: readonly Result[]
  readonly failed: boolean
}

const yardsticks = { plain: yardstickOf('plain'), tls: yardstickOf('tls') }

export function reportOf(setting: Setting, comparison: Comparison): Report {
  const contenders = setting.contenders.map(describe)
  const { checks, failed } = comparison
  const parts = comparison.parts.map(({ results: _, ...part }) => part)
  const results = comparison.parts.flatMap(part => part.results)
  const wanted = new Set([...contenders.map(({ missing }) => missing), ...results.map(({ skipped }) => skipped)])
  const known = contenders.flatMap(({ missing, install }) => (missing && install ? [[missing, install] as const] : []))
  const gets = new Map([...known, ...Object.entries(installs)].filter(([word]) => wanted.has(word)))
  return {
    ...{ v: 3, ...setting, yardsticks, contenders, installs: Object.fromEntries(gets) },
    ...{ checks, parts, results, failed },
  }
}

export const formatJson = (setting: Setting, comparison: Comparison): string =>
  `${JSON.stringify(reportOf(setting, comparison), null, 2)}\n`

export function formatText(setting: Setting, comparison: Comparison): string {
  const report = reportOf(setting, comparison)
  const nameWidth = Math.max(...setting.contenders.map(({ name }) => name.length))
  const lines = [...formatCircumstances(report), '', ...formatContenders(report, nameWidth), '', formatChecks(report)]
  for (const part of comparison.parts) lines.push('', ...formatPart(part, nameWidth))
  return `${lines.join('\n')}\n`
}

function describe({ name, security, about, programs, missing }: Contender): Described {
  return { name, security, ...about, ...(programs && { programs }), ...(missing !== undefined && { missing }) }
}

function formatCircumstances(report: Report): string[] {
  const { machine, versions, rounds, longRounds, seconds, verifyBytes, date, minutes, command } = report
  const { cpu, cores, memoryGiB, kernel } = machine
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const verified = verifyBytes > 0 ? `, ${verifyBytes / 2 ** 20} MiB verified each way` : ''
  const times = `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s, long measures ${longRounds} ×`
  return [
    `machine   ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}`,
    `versions  ${names.join(', ')}`,
    `command   ${command}`,
    `measured  ${date}, ${minutes} min: ${times}${verified}`,
    `ratio     to ${yardsticks.plain}, with TLS to ${yardsticks.tls}: the median of the rounds`,
  ]
}

function formatContenders({ contenders, installs: gets }: Report, nameWidth: number): string[] {
  return contenders.map(({ name, hops = 0, transport = '', note, missing }) => {
    const facts = [`${hops} hops, ${transport}`, ...(note === undefined ? [] : [note])]
    if (missing !== undefined) facts.push(`skipped: ${missing}${gets[missing] ? ` (${gets[missing]})` : ''}`)
    return `  ${name.padEnd(nameWidth)}  ${facts.join('; ')}`
  })
}

/** What was compared, by contender. */
function formatChecks({ checks }: Report): string {
  const byContender = new Map<string, string[]>()
  for (const { contender, check } of checks) {
    const done = byContender.get(contender) ?? []
    byContender.set(contender, [...done, check])
  }
  const carried = [...byContender].map(([contender, done]) => `${contender} (${done.join(', ')})`)
  return `carried right: ${carried.join('; ') || 'none'}`
}
