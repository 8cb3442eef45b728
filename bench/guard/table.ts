/** The verdicts as text. */

import { formatShare } from './baseline.ts'
import type { Verdict } from './verdict.ts'
import { counted, idle, start, type Workload } from './workload.ts'

const words: Readonly<Record<Verdict['judgement'], string>> = {
  ok: 'ok',
  slower: 'SLOWER',
  faster: 'faster: renew the baseline (--write)',
  new: 'NOT IN THE BASELINE: --write',
  missing: 'NOT MEASURED',
}

const labels = new Map([...counted, start, idle].map(({ id, label }: Workload) => [id, label]))

/** One line for each, under a head. */
export function formatTable(verdicts: readonly Verdict[], units: ReadonlyMap<string, string>): string {
  const head = ['', '', 'baseline', 'now', 'change', 'tolerance', '']
  const rows = verdicts.map(({ id, judgement, baseline, now, change, tolerance }) => [
    labels.get(id) ?? id,
    units.get(id) ?? '',
    formatFigure(baseline),
    formatFigure(now),
    change === undefined ? '' : `${change < 0 ? '' : '+'}${formatShare(change)}`,
    tolerance === undefined ? '' : `±${formatShare(tolerance)}`,
    words[judgement],
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => row[column]?.length ?? 0)))
  // Words to the left, numbers to the right.
  const cell = (text: string, column: number) =>
    column >= 2 && column <= 5 ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)
  return [head, ...rows].map(row => `${row.map(cell).join('  ').trimEnd()}\n`).join('')
}

const formatFigure = (figure: number | undefined): string =>
  figure === undefined ? '' : Math.round(figure).toLocaleString('en-US')
