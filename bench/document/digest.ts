/** What the page of the benchmarks is made from: the reports of one or several runs, less what it does not show. */
import type { Security } from '../contenders/contender.ts'
import type { Machine } from '../machine.ts'
import type { Aim, Figure } from '../measures/measure.ts'
import type { Described, Report } from '../report.ts'
import { type Absence, allProcesses, isOurs, type Result } from '../result.ts'
import type { Summary } from '../statistics.ts'

export interface Digest {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly yardsticks: Readonly<Record<Security, string>>
  readonly installs: Readonly<Record<string, string>>
  readonly runs: readonly Run[]
  /** `missing` only what no run had. */
  readonly contenders: readonly Described[]
  readonly parts: readonly Section[]
}

/** One command, and which parts come from it. */
export interface Run extends Pick<Report, 'date' | 'command' | 'minutes' | 'rounds' | 'longRounds' | 'seconds'> {
  readonly parts: readonly string[]
}

/** A part of the comparison. */
export interface Section {
  readonly id: string
  readonly label: string
  readonly note?: string
  readonly figures: readonly FigureRows[]
}

export interface FigureRows extends Omit<Figure, 'aims'> {
  /** In the order of the contenders; none of one that is missing. */
  readonly rows: readonly Row[]
}

/** A result without what its figure and its contender say. */
export interface Row extends Partial<Summary>, Absence {
  readonly contender: string
  /** Absent: the contender as a whole. */
  readonly process?: string
  readonly ratio?: number
  /** Only of tunnelctl. */
  readonly aim?: Aim
  readonly reached?: boolean
  readonly note?: string
}

/** @throws Error when the reports are of another version, or cannot stand on one page */
export function digestOf(reports: readonly Report[]): Digest {
  const [first] = reports
  if (first === undefined) throw new Error('there is no report')
  const parts = new Set<string>()
  for (const { v, machine, versions, parts: its } of reports) {
    if (v !== 3) throw new Error(`a report is of version ${v}, not 3: measure again`)
    for (const [name, value] of Object.entries({ ...machine, ...versions })) {
      const other = { ...first.machine, ...first.versions }[name]
      if (other !== undefined && other !== value)
        throw new Error(`the reports differ in ${name}: ${other} and ${value}`)
    }
    const twice = its.find(({ id }) => parts.has(id))
    if (twice) throw new Error(`the part ${twice.id} is in two reports`)
    for (const { id } of its) parts.add(id)
  }
  const contenders = contendersOf(reports)
  return {
    machine: first.machine,
    versions: Object.assign({}, ...reports.map(({ versions }) => versions)),
    yardsticks: first.yardsticks,
    installs: Object.assign({}, ...reports.map(({ installs }) => installs)),
    runs: reports.map(runOf),
    contenders,
    parts: reports.flatMap(({ parts: its, results }) =>
      its.map(({ id, label, note }) => {
        const figures = figuresOf(
          results.filter(({ part }) => part === id),
          contenders,
        )
        return { id, label, ...(note !== undefined && { note }), figures }
      }),
    ),
  }
}

function runOf({ date, command, minutes, rounds, longRounds, seconds, parts }: Report): Run {
  return { date, command: unplaced(command), minutes, rounds, longRounds, seconds, parts: parts.map(({ id }) => id) }
}

function contendersOf(reports: readonly Report[]): Described[] {
  const byName = new Map<string, Described>()
  for (const contender of reports.flatMap(({ contenders }) => contenders)) {
    const known = byName.get(contender.name)
    if (!known || (known.missing !== undefined && contender.missing === undefined))
      byName.set(contender.name, contender)
  }
  return [...byName.values()]
}

function figuresOf(results: readonly Result[], contenders: readonly Described[]): FigureRows[] {
  const figures = new Map(results.map(result => [result.id, result]))
  return [...figures.values()].map(({ id, label, unit, better }) => {
    const its = results.filter(result => result.id === id)
    const rows = contenders.flatMap(({ name, missing }) =>
      missing === undefined ? shown(its.filter(({ contender }) => contender === name)).map(rowOf) : [],
    )
    return { id, label, unit, better, rows }
  })
}

/** The processes of the others are too many to show, where there is a sum. */
function shown(results: readonly Result[]): readonly Result[] {
  const sum = results.filter(({ contender, process }) => process === allProcesses && !isOurs(contender))
  return sum.length > 0 ? sum : results
}

function rowOf({ contender, process, aim, note, skipped, failed, ...result }: Result): Row {
  // What came before a failure is not what it is worth.
  const { median, min, max, ratio, reached }: Partial<Result> = failed === undefined ? result : {}
  const summary = median === undefined || min === undefined || max === undefined ? undefined : { median, min, max }
  return {
    contender,
    ...(process !== undefined && process !== allProcesses && { process }),
    ...(summary && { median: rounded(summary.median), min: rounded(summary.min), max: rounded(summary.max) }),
    ...(ratio !== undefined && { ratio: rounded(ratio) }),
    ...(aim && isOurs(contender) && { aim }),
    ...(reached !== undefined && { reached }),
    ...(note !== undefined && { note: unplaced(note) }),
    ...(skipped !== undefined && { skipped }),
    ...(failed !== undefined && { failed: unplaced(failed) }),
  }
}

/** More digits are noise. */
const rounded = (value: number): number => Number(value.toPrecision(4))

/** Without the folders of the machine: of a path, the last name is left. */
const unplaced = (text: string): string => text.replaceAll(/(?<![\w.:/])(?:\/[\w.@+-]+)+\/([\w.@+-]+)/g, '$1')

const lineWidth = 160

/** JSON with a line for whatever fits into one, so that a change of a number is a change of a line. */
export function formatDigest(digest: Digest): string {
  return `${lines(digest, '')}\n`
}

function lines(value: unknown, indent: string): string {
  const inline = JSON.stringify(value)
  if (indent.length + inline.length <= lineWidth || typeof value !== 'object' || value === null) return inline
  const deeper = `${indent}  `
  const entries = Array.isArray(value)
    ? value.map(each => lines(each, deeper))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${lines(each, deeper)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${entries.map(entry => deeper + entry).join(',\n')}\n${indent}${close}`
}
