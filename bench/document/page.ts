/** The page of the benchmarks. */
import { formatAim, verdict } from '../aim.ts'
import { formatNumber, formatRatio } from '../number.ts'
import { isOurs } from '../result.ts'
import type { NamedChart } from './charts.ts'
import type { Digest, FigureRows, Row, Section } from './digest.ts'
import { code, literally, table } from './markdown.ts'
import type { PageFacts } from './pages.ts'
import { contendersSection, formatDate, placeSection, rerunSection } from './setting.ts'

export function formatPage(digest: Digest, charts: readonly NamedChart[], facts: PageFacts): string {
  const { plain, tls } = digest.yardsticks
  const { digest: kept, title, flags } = facts
  const hasTls = digest.contenders.some(({ security }) => security === 'tls')
  const lines = [
    `# ${title}`,
    '',
    `\`npm run bench:document${flags === '' ? '' : ` -- ${flags.trim()}`}\` makes this page from [${kept}](${kept}), and a test compares`,
    'the two: nothing here is written by hand.',
    '',
    ...aimsSection(digest),
    '',
    '## How to read it',
    '',
    'Every number was measured on one machine, where the load, the contender and the service share the cores. Compare the',
    'numbers with each other, and not with those of another machine. A median is that of the rounds; on loopback all',
    'contenders take turns in each. The ratio is the median of the ratios, round by round, to the yardstick:',
    `${code(plain)}${hasTls ? `, or with TLS ${code(tls)}` : ''}. Only tunnelctl has aims.`,
    '',
    ...placeSection(digest),
    '',
    ...contendersSection(digest, facts),
    ...digest.parts.flatMap(part => ['', ...partSection(digest, part, charts)]),
    '',
    ...rerunSection(digest, facts),
  ]
  return `${lines.join('\n')}\n`
}

interface Aimed {
  readonly part: Section
  readonly figure: FigureRows
  readonly row: Row
}

function aimsSection(digest: Digest): string[] {
  const aimed: Aimed[] = digest.parts.flatMap(part =>
    part.figures.flatMap(figure => figure.rows.flatMap(row => (row.aim ? [{ part, figure, row }] : []))),
  )
  const measured = aimed.filter(({ row }) => row.reached !== undefined)
  const missed = measured.filter(({ row }) => row.reached === false)
  const open = aimed.filter(({ row }) => row.reached === undefined)
  if (aimed.length === 0) return ['No aim of tunnelctl was measured.']
  const lines = [
    `tunnelctl reaches ${measured.length - missed.length} of the ${measured.length} aims that were measured.`,
  ]
  if (missed.length > 0) lines.push('', 'Missed:', '', ...aimsTable(digest, missed))
  if (open.length > 0) lines.push('', 'Not measured:', '', ...aimsTable(digest, open))
  return lines
}

function aimsTable(digest: Digest, aimed: readonly Aimed[]): string[] {
  const rows = aimed.map(({ part, figure, row }) => {
    const cells = [part.label, figure.label, nameOf(row), goalOf(digest, figure, row), reachedBy(figure, row)]
    return cells.map(literally)
  })
  return table(['part', 'figure', 'of', 'aim', 'is'], rows)
}

function reachedBy({ unit }: FigureRows, { median, ratio, aim, reached, skipped, failed }: Row): string {
  if (reached === undefined) return failed === undefined ? (skipped ?? 'without a yardstick') : `failed: ${failed}`
  if (aim && 'ratio' in aim && ratio !== undefined) return `${formatRatio(ratio)} ×`
  return median === undefined ? '' : `${formatNumber(median)} ${unit}`
}

function goalOf({ contenders, yardsticks }: Digest, figure: FigureRows, { contender, aim }: Row): string {
  const security = contenders.find(({ name }) => name === contender)?.security ?? 'plain'
  return aim ? formatAim(aim, figure, yardsticks[security]) : ''
}

const nameOf = ({ contender, process }: Row): string => (process === undefined ? contender : `${contender}, ${process}`)

function partSection(digest: Digest, part: Section, charts: readonly NamedChart[]): string[] {
  const { id, label, note, figures } = part
  const run = digest.runs.findIndex(({ parts }) => parts.includes(id))
  const measured = `Run ${run + 1}, ${formatDate(digest.runs[run]?.date ?? '')}.`
  const pictures = charts
    .filter(chart => chart.part === id)
    .flatMap(({ file, title }) => [`![${title}: bars of the numbers in the table](charts/${file})`, ''])
  return [
    `## ${literally(label.charAt(0).toUpperCase() + label.slice(1))}`,
    '',
    note === undefined ? measured : `${measured} ${literally(note.charAt(0).toUpperCase() + note.slice(1))}.`,
    '',
    ...pictures,
    ...table(
      ['figure, contender', 'median:', 'min – max:', 'ratio:', 'aim of tunnelctl'],
      figures.flatMap(figure => figureRows(digest, figure)),
    ),
  ]
}

/** A line for the figure itself, one for each contender, and one for all that were skipped. */
function figureRows(digest: Digest, figure: FigureRows): string[][] {
  const { label, unit, better, rows } = figure
  const isSkipped = ({ median, failed }: Row) => median === undefined && failed === undefined
  const skipped = rows.filter(isSkipped).map(row => `${nameOf(row)} (${row.skipped ?? 'unmeasured'})`)
  return [
    [`**${literally(label)}**, ${literally(unit)}, ${better} is better`, '', '', '', ''],
    ...rows.filter(row => !isSkipped(row)).map(row => contenderRow(digest, figure, row)),
    ...(skipped.length === 0 ? [] : [[`skipped: ${literally(skipped.join(', '))}`, '', '', '', '']]),
  ]
}

function contenderRow(digest: Digest, figure: FigureRows, row: Row): string[] {
  const { median, min, max, ratio, aim, reached, note, failed, contender } = row
  const plainName = literally(nameOf(row))
  const name = isOurs(contender) ? `**${plainName}**` : plainName
  const goal = aim ? literally(goalOf(digest, figure, row)) : ''
  if (failed !== undefined || median === undefined || min === undefined || max === undefined)
    return [`${name}: failed: ${literally(failed ?? 'unknown')}`, '', '', '', goal]
  const word = reached === undefined ? '' : `: ${reached ? verdict(reached) : `**${verdict(reached)}**`}`
  return [
    note === undefined ? name : `${name} (${literally(note)})`,
    formatNumber(median),
    min === max ? '' : `${formatNumber(min)} – ${formatNumber(max)}`,
    ratio === undefined ? '' : formatRatio(ratio),
    `${goal}${word}`,
  ]
}
