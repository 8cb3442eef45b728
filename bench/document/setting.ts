/** What the page says about the machine, the contenders, and how to measure again. */
import type { Described } from '../report.ts'
import { installs as usualInstalls } from '../tools.ts'
import type { Digest } from './digest.ts'
import { code, literally, shell, table } from './markdown.ts'
import type { PageFacts } from './pages.ts'

export function placeSection({ machine, versions, runs, parts }: Digest): string[] {
  const { cpu, cores, memoryGiB, kernel } = machine
  const { commit, ...programs } = versions
  const names = Object.entries(programs).map(([name, version]) => `${name} ${version}`)
  const facts = [
    ['machine', literally(`${cpu}, ${cores} cores, ${memoryGiB} GiB, ${kernel}`)],
    ['versions', literally(names.join(', '))],
    ['commit', commit === undefined ? 'unknown' : literally(commit).replace(/-dirty$/, ', and changes not committed')],
  ]
  return [
    '## What was measured where',
    '',
    ...table(['', ''], facts),
    '',
    ...table(
      ['run', 'date', 'command', 'rounds', 'took', 'parts'],
      runs.map(({ date, command, minutes, rounds, longRounds, seconds, parts: its }, index) => [
        String(index + 1),
        formatDate(date),
        code(command),
        `${rounds} of ${seconds} s, long measures ${longRounds} ×`,
        `${minutes} min`,
        literally(its.join('; ')),
      ]),
    ),
    ...(parts.some(({ id }) => id.startsWith('wan ')) ? ['', ...linkLines] : []),
  ]
}

const linkLines = [
  'A link is a relay on the same machine with delay, bandwidth, a finite queue and, where it says so, stalls. It has no loss,',
  'and TCP ends at either side of it.',
]

/** Of an ISO date, to the minute. */
export const formatDate = (date: string): string => literally(`${date.slice(0, 16).replace('T', ' ')} UTC`)

export function contendersSection(
  { contenders, versions, installs }: Digest,
  { between }: Pick<PageFacts, 'between'>,
): string[] {
  const present = contenders.filter(({ missing }) => missing === undefined)
  const absent = contenders.filter(({ missing }) => missing !== undefined)
  const lines = [
    '## Contenders',
    '',
    `A hop is a process that a byte passes between ${between}.`,
    '',
    ...table(
      ['contender', 'TLS', 'hops:', 'transport', 'version', 'note'],
      present.map(contender => [
        literally(contender.name),
        contender.security === 'tls' ? 'yes' : 'no',
        String(contender.hops ?? ''),
        literally(contender.transport ?? ''),
        literally(versionsOf(contender, versions)),
        literally(contender.note ?? ''),
      ]),
    ),
  ]
  if (absent.length === 0) return lines
  const rows = absent.map(({ name, hops, transport = '', missing = '', note }) => [
    literally(name),
    String(hops ?? ''),
    literally(note === undefined ? transport : `${transport}; ${note}`),
    literally(missing),
    installs[missing] === undefined ? '' : code(installs[missing]),
  ])
  const heads = ['contender', 'hops:', 'transport', 'missing', 'what installs it']
  return [...lines, '', 'Skipped, because the machine lacked a program:', '', ...table(heads, rows)]
}

function versionsOf({ name, programs = [] }: Described, versions: Digest['versions']): string {
  // With TLS there is OpenSSL too, which only makes the certificate.
  const own = programs.filter(program => program !== 'openssl')
  const its = own.length > 0 ? own : [name.replace(/-tls$/, '')]
  return [...new Set(its.flatMap(program => versions[program] ?? []))].join(', ')
}

export function rerunSection({ runs, contenders }: Digest, { tools: its, flags, script }: PageFacts): string[] {
  const tools = its.flatMap(tool => usualInstalls[tool] ?? [])
  const commands = [...new Set([...tools, ...contenders.flatMap(({ install }) => install ?? [])])].sort()
  const files = runs.map((_, index) => `run-${index + 1}.json`)
  return [
    '## How to measure again',
    '',
    'The bench skips what is not installed. These get what this page has:',
    '',
    ...shell(commands),
    '',
    'This measures, and makes the page:',
    '',
    ...shell([
      'npm ci',
      'npm run build',
      ...runs.map(({ command }, index) => `${command}${command.includes(' -- ') ? '' : ' --'} --json ${files[index]}`),
      `npm run bench:document -- ${flags}${files.join(' ')}`,
    ]),
    '',
    `\`npm run ${script} -- --help\` names ${script === 'bench' ? 'the parts and ' : ''}the options.`,
  ]
}
