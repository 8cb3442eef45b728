/** What a completion script knows of the commands, read off the command tree itself. */
import type { Command, Option } from 'commander'

export interface CompletedCommand {
  /** The words that lead here: none, `connect`, `token create`. */
  readonly path: string
  readonly commands: readonly Word[]
  readonly flags: readonly Flag[]
  /** The values of its arguments, if they are known beforehand. */
  readonly choices: readonly string[]
}

export interface Word {
  readonly name: string
  readonly summary: string
}

export interface Flag {
  /** With their dashes, the short one first. */
  readonly names: readonly string[]
  readonly summary: string
  readonly value: Value
  readonly repeatable: boolean
}

/** What follows a flag: nothing, one of a few words, the name of a file, or something that only the user knows. */
export type Value =
  | { readonly kind: 'none' | 'file' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'text'; readonly label: string }

/** Every command under `command`, itself first. What its help does not show is left out. */
export function completedCommands(command: Command, path: readonly string[] = []): CompletedCommand[] {
  const help = command.createHelp()
  const children = help.visibleCommands(command)
  return [
    {
      path: path.join(' '),
      commands: children.map(child => ({ name: child.name(), summary: child.summary() || child.description() })),
      flags: help.visibleOptions(command).map(flagOf),
      choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    },
    ...children.flatMap(child => completedCommands(child, [...path, child.name()])),
  ]
}

function flagOf(option: Option): Flag {
  const names = [option.short, option.long].filter(name => name !== undefined)
  return { names, summary: option.description, value: valueAfter(option), repeatable: option.variadic }
}

/** A flag that takes a file says so: `--key <file>`. */
function valueAfter({ flags, argChoices }: Option): Value {
  const [, label] = /[<[](.+?)(?:\.\.\.)?[>\]]$/.exec(flags) ?? []
  if (label === undefined) return { kind: 'none' }
  if (argChoices !== undefined) return { kind: 'choice', choices: argChoices }
  return label === 'file' ? { kind: 'file' } : { kind: 'text', label }
}
