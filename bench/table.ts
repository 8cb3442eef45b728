/** The results of one part as text. */
import { formatAim, verdict } from './aim.ts'
import { yardstickOf } from './contenders/contenders.ts'
import { formatNumber, formatRatio } from './number.ts'
import type { Part } from './part.ts'
import { isOurs, type Result } from './result.ts'

const numberWidth = 10
const rangeWidth = 20
const ratioWidth = 8

/** @param nameWidth of the longest contender */
export function formatPart(part: Part, nameWidth: number): string[] {
  const byProcess = part.results.some(({ process }) => process !== undefined)
  const lines = byProcess ? formatProcesses(part, nameWidth) : formatFigures(part, nameWidth)
  return part.note === undefined ? lines : [...lines, `  (${part.note})`]
}

/** A block for each figure, a line for each contender. */
function formatFigures({ label, results }: Part, nameWidth: number): string[] {
  const heads = [right('median', numberWidth), right('min – max', rangeWidth), right('ratio', ratioWidth)]
  const lines = [`${label.padEnd(nameWidth + 2)}${heads.join('')}`]
  for (const [first, of] of grouped(results, ({ id }) => id)) {
    const aims = of.flatMap(result => (isOurs(result.contender) && result.aim ? `; ${formatGoal(result)}` : []))
    lines.push(`${first.label}, ${first.unit} (${first.better} is better${aims.join('')})`)
    for (const result of of) lines.push(`  ${result.contender.padEnd(nameWidth)}${formatResult(result)}`)
  }
  return lines
}

function formatGoal(result: Result): string {
  const { contender, aim, security } = result
  return aim ? `${contender} aims at ${formatAim(aim, result, yardstickOf(security))}` : ''
}

function formatResult(result: Result): string {
  const { median, min, max, ratio, note, reached } = result
  if (median === undefined || min === undefined || max === undefined || result.failed !== undefined)
    return formatAbsence(result)
  const numbers = [
    right(formatNumber(median), numberWidth),
    right(`${formatNumber(min)} – ${formatNumber(max)}`, rangeWidth),
    right(ratio === undefined ? '' : formatRatio(ratio), ratioWidth),
  ]
  const words = [reached === undefined ? '' : verdict(reached), note ?? ''].filter(word => word !== '')
  return `${numbers.join('')}   ${words.join('; ')}`.trimEnd()
}

function formatAbsence({ skipped, failed }: Result): string {
  return failed === undefined ? `  skipped: ${skipped ?? 'unmeasured'}` : `  failed: ${failed}`
}

/** A line for each process, a column for each figure, with the medians. */
function formatProcesses({ label, results }: Part, nameWidth: number): string[] {
  const columns = grouped(results, ({ id }) => id).map(([first]) => {
    const head = first.id.slice(first.id.indexOf('-') + 1)
    return { ...first, head, width: Math.max(numberWidth, head.length + 2) }
  })
  const heads = columns.map(({ head, width }) => right(head, width))
  const processWidth = Math.max(...results.map(({ process = '' }) => process.length)) + 1
  const lines = [`${label.padEnd(nameWidth + processWidth + 2)}${heads.join('')}`]
  for (const [{ contender }, its] of grouped(results, result => result.contender)) {
    const start = `  ${contender.padEnd(nameWidth)}`
    const [absent] = its.filter(({ process }) => process === undefined)
    const present = its.filter(({ process }) => process !== undefined)
    if (absent) lines.push(`${start}${formatAbsence(absent)}`)
    for (const [{ process = '' }, of] of grouped(present, result => result.process)) {
      const cells = columns.map(({ id, width }) => {
        const { median } = of.find(result => result.id === id) ?? {}
        return right(median === undefined ? '-' : formatNumber(median), width)
      })
      lines.push(`${start}${` ${process}`.padEnd(processWidth)}${cells.join('')}`)
    }
  }
  for (const { head, label: text, unit, better } of columns)
    lines.push(`  ${head}: ${text}, ${unit} (${better} is better)`)
  for (const result of results) {
    if (result.reached === undefined) continue
    lines.push(`  ${result.label}: ${formatGoal(result)}: ${result.process} ${verdict(result.reached)}`)
  }
  return lines
}

/** Each with the first of its group, groups in the order of their first ones. */
function grouped(results: readonly Result[], key: (result: Result) => unknown): [Result, Result[]][] {
  const groups = new Map<unknown, [Result, Result[]]>()
  for (const result of results) {
    const group = groups.get(key(result))
    if (group) group[1].push(result)
    else groups.set(key(result), [result, [result]])
  }
  return [...groups.values()]
}

const right = (text: string, width: number): string => text.padStart(width)
