/** The comparison as a person reads it, and as a program does. */
import type { Absence, Comparison, Result } from './comparison.ts'
import { yardstick } from './contenders/contenders.ts'
import type { Machine } from './machine.ts'
import type { Figure } from './measures/measure.ts'
import { type MemoryResult, memoryAims } from './measures/memory.ts'

/** Under which conditions was measured. */
export interface Setting {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly seconds: number
  readonly idle: number
  readonly verifyBytes: number
}

const nameWidth = 12
const roleWidth = 10
const numberWidth = 10
const rangeWidth = 20

export function formatText(setting: Setting, comparison: Comparison): string {
  const lines = [...formatSetting(setting), '', formatChecks(comparison), '']
  lines.push(
    `${column('', nameWidth)}${right('median', numberWidth)}${right('min – max', rangeWidth)}${right(`× ${yardstick}`, numberWidth + 1)}`,
  )
  let figure: Figure | undefined
  for (const result of comparison.results) {
    if (result.figure !== figure) lines.push(formatFigure(result.figure))
    figure = result.figure
    lines.push(`  ${column(result.contender, nameWidth - 2)}${formatResult(result)}`)
  }
  if (comparison.memory.length > 0) lines.push('', ...formatMemory(setting, comparison.memory))
  return `${lines.join('\n')}\n`
}

/** One object; lengths of time in the unit that each result names, memory in bytes. */
export function formatJson(setting: Setting, comparison: Comparison): string {
  const results = comparison.results.map(({ figure, summary, ...result }) => ({ ...figure, ...result, ...summary }))
  const { checks, memory, failed } = comparison
  return `${JSON.stringify({ v: 1, ...setting, yardstick, checks, results, memory, failed }, null, 2)}\n`
}

function formatSetting({ machine, versions, rounds, seconds, verifyBytes }: Setting): string[] {
  const { cpu, cores, memoryGiB, kernel } = machine
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const verified = verifyBytes > 0 ? `, ${verifyBytes / 2 ** 20} MiB verified each way` : ''
  return [
    `machine   ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}`,
    `versions  ${names.join(', ')}`,
    `measured  ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s, loopback, three hops${verified}`,
  ]
}

/** What was compared, by contender. Failures stand where the numbers would be. */
function formatChecks({ checks }: Comparison): string {
  const byContender = new Map<string, string[]>()
  for (const { contender, check } of checks) {
    const done = byContender.get(contender) ?? []
    byContender.set(contender, [...done, check])
  }
  const right = [...byContender].map(([contender, done]) => `${contender} (${done.join(', ')})`)
  return `carried right: ${right.join('; ') || 'none'}`
}

function formatFigure({ label, unit, better, aim }: Figure): string {
  const sign = better === 'more' ? '≥' : '≤'
  const aimed = aim === undefined ? '' : `; tunnelctl aims at ${sign} ${aim.toFixed(2)} × ${yardstick}`
  return `${label}, ${unit} (${better} is better${aimed})`
}

function formatResult({ summary, ratio, skipped, failed }: Result): string {
  if (failed !== undefined) return `  failed: ${failed}`
  if (skipped !== undefined || !summary) return `  skipped: ${skipped ?? 'unmeasured'}`
  const range = `${formatNumber(summary.min)} – ${formatNumber(summary.max)}`
  const compared = ratio === undefined ? '' : right(ratio.toFixed(2), numberWidth + 1)
  return `${right(formatNumber(summary.median), numberWidth)}${right(range, rangeWidth)}${compared}`
}

function formatMemory({ idle }: Setting, memory: readonly (MemoryResult | Absence)[]): string[] {
  const lines = [
    `memory for one of ${idle} idle connections, KiB; whole process, MiB (less is better)`,
    `${column('', nameWidth + roleWidth)}${right('in use', numberWidth)}${right('resident', numberWidth)}${right('whole', numberWidth)}`,
  ]
  for (const result of memory) {
    const start = `  ${column(result.contender, nameWidth - 2)}`
    if ('role' in result) lines.push(`${start}${column(result.role, roleWidth)}${formatGrowth(result)}`)
    else
      lines.push(`${start}${result.failed === undefined ? `skipped: ${result.skipped}` : `failed: ${result.failed}`}`)
  }
  lines.push('  in use: objects and buffers after garbage collection; resident: growth of the resident set')
  return lines
}

function formatGrowth({ contender, role, heap, rss, total }: MemoryResult): string {
  const aim = contender === 'tunnelctl' ? memoryAims[role] : undefined
  const inUse = heap === undefined ? '-' : (heap / 1024).toFixed(2)
  const numbers = [inUse, (rss / 1024).toFixed(2), (total / 2 ** 20).toFixed(1)].map(text => right(text, numberWidth))
  return `${numbers.join('')}${aim === undefined ? '' : `   aims at ≤ ${aim / 1024}`}`
}

/** Three significant digits, thousands kept apart. */
function formatNumber(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}

const column = (text: string, width: number): string => text.padEnd(width)
const right = (text: string, width: number): string => text.padStart(width)
