/** The command lines that a reader is shown: those of a README, and those of the help of every command. */
import type { Command } from 'commander'
import { findProgram } from './servers.ts'

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

/** What help shows below the options: every line that is indented by two, without what is said beside it. */
export function helpExamples(program: Command): string[] {
  const names = new Set(program.commands.map(command => command.name()))
  return allOf(program).flatMap(command => {
    let heading = ''
    return helpAfter(command)
      .split('\n')
      .flatMap(line => {
        if (/^\S.*:$/.test(line)) heading = line
        if (!/^ {2}\S/.test(line) || heading.startsWith('In tunnelctl.yaml')) return []
        const parts = line.trim().split(/ {2,}/)
        if (heading === 'Targets:') return [`tunnelctl ${command.name()} ${parts[0]}`]
        return [parts.find(part => isCommandLine(part, names)) ?? line.trim()]
      })
  })
}

/** The lines of help that are indented below `heading`. */
export function helpBlock(command: Command, heading: RegExp): string {
  const [, block = ''] = new RegExp(`^${heading.source}.*:\n((?: {2}.*\n)+)`, 'm').exec(helpAfter(command)) ?? []
  return block.replace(/^ {2}/gm, '')
}

function helpAfter(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: text => (help += text) })
  command.outputHelp()
  return help.slice(command.helpInformation().length)
}

function isCommandLine(text: string, names: ReadonlySet<string>): boolean {
  const [first = '', second] = text.split(' ')
  if (second === undefined) return false
  return /(?<![\w./-])tunnelctl [a-z]/.test(text) || names.has(first) || findProgram(first) !== undefined
}

const allOf = (command: Command): Command[] => [command, ...command.commands.flatMap(allOf)]
