/** The command lines that a reader is shown: those of a README, and those of the help of every command. */
import type { Command } from 'commander'
import { notesOf } from '../../src/cli/manual/notes.ts'

/** Programs that inline code may show, whether or not they are on this machine. In blocks, and in help, any is taken for one. */
const OTHERS: ReadonlySet<string> = new Set(
  'curl dig docker git helm kill kubectl man nc node npm npx pg_dump psql redis-cli scp source ssh'.split(' '),
)

/** Lines of `sh` blocks, what stands behind a colon in their comments, and inline code that is a command line. */
export function readmeExamples(text: string, program: Command): string[] {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const prose = text.replace(/^```.*?^```$/gms, '')
  const names = new Set(program.commands.map(command => command.name()))
  const inBlocks = blocks
    .flatMap(block => block.split('\n'))
    .flatMap(line => {
      const [command = '', comment = ''] = line.split(/\s+# /)
      const [, inside = ''] = /: (.+)$/.exec(comment) ?? []
      return [command, ...(isCommandLine(inside, names) ? [inside] : [])]
    })
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)]
    .map(([, code = '']) => code)
    .filter(code => isCommandLine(code, names))
    // Behind its first mention the program goes without saying.
    .map(code => (names.has(code.split(' ')[0] ?? '') ? `tunnelctl ${code}` : code))
  return [...inBlocks, ...inline].filter(line => line !== '')
}

/** What help shows below the options: every line of a block, without what is said beside it. */
export function helpExamples(program: Command): string[] {
  const names = new Set(program.commands.map(command => command.name()))
  return allOf(program).flatMap(command =>
    notesOf(command)
      .filter(({ heading }) => heading !== '' && !PROFILE.test(heading))
      .flatMap(({ heading, lines }) =>
        lines
          .filter(line => !line.startsWith(' '))
          .map(line => {
            const parts = line.split(/ {2,}/)
            if (heading === 'Targets:') return `tunnelctl ${command.name()} ${parts[0]}`
            return parts.find(part => isCommandLine(part, names)) ?? line
          }),
      ),
  )
}

/** The tunnelctl.yaml that help shows. */
export const helpProfile = (program: Command): string =>
  allOf(program)
    .flatMap(notesOf)
    .filter(({ heading }) => PROFILE.test(heading))
    .flatMap(({ lines }) => lines)
    .join('\n')

const PROFILE = /^In tunnelctl\.yaml/

function isCommandLine(text: string, names: ReadonlySet<string>): boolean {
  const [first = '', second] = text.split(' ')
  if (second === undefined) return false
  return /(?<![\w./-])tunnelctl [a-z]/.test(text) || names.has(first) || OTHERS.has(first)
}

const allOf = (command: Command): Command[] => [command, ...command.commands.flatMap(allOf)]
