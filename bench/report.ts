/** The comparison as a person reads it, and as a program does. */
import type { Absence, Comparison, Result } from './comparison.ts'
import { yardstick } from './contenders/contenders.ts'
import type { Machine } from './machine.ts'
import type { Figure } from './measures/measure.ts'
import { type MemoryResult, memoryAims } from './measures/memory.ts'
import { type ResumeResult, resumeAimMs } from './measures/resume.ts'
import { type Summary, summarize } from './statistics.ts'

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
  if (comparison.resume.length > 0) lines.push('', ...formatResume(comparison.resume))
  if (comparison.memory.length > 0) lines.push('', ...formatMemory(setting, comparison.memory))
  return `${lines.join('\n')}\n`
}

/** One object; lengths of time in the unit that each result names, of the resume gap in ms; memory in bytes. */
export function formatJson(setting: Setting, comparison: Comparison): string {
  const results = comparison.results.map(({ figure, summary, ...result }) => ({ ...figure, ...result, ...summary }))
  const { checks, resume, memory, failed } = comparison
  const report = { v: 1, ...setting, yardstick, checks, results, resumeAimMs, resume, memory, failed }
  return `${JSON.stringify(report, null, 2)}\n`
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
  const compared = ratio === undefined ? '' : right(ratio.toFixed(2), numberWidth + 1)
  return `${formatSummary(summary)}${compared}`
}

function formatSummary({ median, min, max }: Summary): string {
  const range = `${formatNumber(min)} – ${formatNumber(max)}`
  return `${right(formatNumber(median), numberWidth)}${right(range, rangeWidth)}`
}

function formatAbsence({ skipped, failed }: Absence): string {
  return failed === undefined ? `skipped: ${skipped}` : `failed: ${failed}`
}

function formatResume(resume: readonly (ResumeResult | Absence)[]): string[] {
  const lines = [
    `resume gap after kill -9, gateway back up to bytes flowing, ms (less is better; tunnelctl aims at ≤ ${resumeAimMs})`,
    `${column('', nameWidth)}${column('outage', roleWidth)}${right('median', numberWidth)}${right('min – max', rangeWidth)}`,
  ]
  for (const result of resume) {
    const start = `  ${column(result.contender, nameWidth - 2)}`
    if (!('restarts' in result)) {
      lines.push(`${start}${formatAbsence(result)}`)
      continue
    }
    const { restarts, bytes } = result
    const whole = `   ${restarts.length} restarts, ${bytes.toLocaleString('en-US')} bytes exact`
    lines.push(`${start}${column('any', roleWidth)}${formatSummary(result)}${whole}`)
    for (const outage of [...new Set(restarts.map(({ outageMs }) => outageMs))].sort((a, b) => a - b)) {
      const gaps = restarts.flatMap(({ outageMs, gapMs }) => (outageMs === outage ? gapMs : []))
      lines.push(`${start}${column(`${outage / 1000} s`, roleWidth)}${formatSummary(summarize(gaps))}`)
    }
  }
  return lines
}

function formatMemory({ idle }: Setting, memory: readonly (MemoryResult | Absence)[]): string[] {
  const lines = [
    `memory for one of ${idle} idle connections, KiB; whole process, MiB (less is better)`,
    `${column('', nameWidth + roleWidth)}${right('in use', numberWidth)}${right('resident', numberWidth)}${right('whole', numberWidth)}`,
  ]
  for (const result of memory) {
    const start = `  ${column(result.contender, nameWidth - 2)}`
    if ('role' in result) lines.push(`${start}${column(result.role, roleWidth)}${formatGrowth(result)}`)
    else lines.push(`${start}${formatAbsence(result)}`)
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
