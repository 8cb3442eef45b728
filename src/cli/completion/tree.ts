/** What a completion script knows of the commands, read off the command tree itself. */
import type { Command, Option } from 'commander'

export interface CompletedCommand {
  /** The words that lead here: none, `connect`, `token create`. */
  readonly path: string
  readonly commands: readonly Word[]
  readonly flags: readonly Flag[]
  /** The values of its arguments, if they are known beforehand. */
  readonly choices: readonly string[]
  /** What its arguments are, if it is to be asked for. */
  readonly live?: Live
}

/** What `tunnelctl __complete` knows of, by the name that it takes. */
export type Live = 'targets' | 'agents' | 'namespaces' | 'contexts' | 'detached'

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

/** What follows a flag: nothing, one of a few words, the name of a file, what is to be asked for, or what only the user knows. */
export type Value =
  | { readonly kind: 'none' | 'file' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'live'; readonly live: Live }
  | { readonly kind: 'text'; readonly label: string }

/** Every command under `command`, itself first. What its help does not show is left out. */
export function completedCommands(command: Command, path: readonly string[] = []): CompletedCommand[] {
  const help = command.createHelp()
  const children = help.visibleCommands(command)
  const live = argumentOf(command)
  return [
    {
      path: path.join(' '),
      commands: children.map(child => ({ name: child.name(), summary: child.summary() || child.description() })),
      flags: help.visibleOptions(command).map(option => flagOf(option, command)),
      choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      ...(live !== undefined && { live }),
    },
    ...children.flatMap(child => completedCommands(child, [...path, child.name()])),
  ]
}

/** By the words that help uses for them. */
function argumentOf(command: Command): Live | undefined {
  const [first] = command.registeredArguments
  if (first?.name() === 'target') return 'targets'
  if (command.parent?.name() === 'context' && first !== undefined) return 'contexts'
  return first?.name() === 'name' ? 'detached' : undefined
}

const liveFlags: Readonly<Record<string, Live>> = {
  '--agent': 'agents',
  '--namespace': 'namespaces',
  '--context': 'contexts',
}

function flagOf(option: Option, command: Command): Flag {
  const names = [option.short, option.long].filter(name => name !== undefined)
  return { names, summary: option.description, value: valueAfter(option, command), repeatable: option.variadic }
}

/** A flag that takes a file says so: `--key <file>`. */
function valueAfter({ flags, argChoices, long }: Option, command: Command): Value {
  const [, label] = /[<[](.+?)(?:\.\.\.)?[>\]]$/.exec(flags) ?? []
  if (label === undefined) return { kind: 'none' }
  if (argChoices !== undefined) return { kind: 'choice', choices: argChoices }
  const live = liveFlags[long ?? '']
  // Where there are contexts, there is somebody to ask.
  if (live !== undefined && command.options.some(other => other.long === '--context')) return { kind: 'live', live }
  return label === 'file' ? { kind: 'file' } : { kind: 'text', label }
}
