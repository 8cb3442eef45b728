/** What help shows below the options of a command: prose, and blocks of indented lines below a heading. */
import type { Command } from 'commander'

export interface Note {
  /** Ends with a colon; empty for prose. */
  readonly heading: string
  /** Prose is one; what is indented has lost two blanks. */
  readonly lines: readonly string[]
}

export function notesOf(command: Command): Note[] {
  let help = ''
  command.configureOutput({ writeOut: text => (help += text) })
  command.outputHelp()
  const blocks = help.slice(command.helpInformation().length).trim().split(/\n\n+/)
  return blocks.filter(block => block !== '').map(noteFrom)
}

/** Whether a command of shell stands in its lines. */
export const isExamples = ({ heading }: Note): boolean => /^(Examples|With TUNNELCTL|On a machine)/.test(heading)

function noteFrom(block: string): Note {
  const [heading = '', ...lines] = block.split('\n')
  const indented = lines.length > 0 && lines.every(line => line.startsWith('  '))
  if (!indented) return { heading: '', lines: [block.replace(/\n/g, ' ')] }
  return { heading, lines: lines.map(line => line.slice(2)) }
}
