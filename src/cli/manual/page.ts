/** man/tunnelctl.1, from the command tree and from what help says. Only the script that writes it and its test load this. */
import type { Argument, Command, Option } from 'commander'
import { description, environment, exitStatuses, files, ownStatus, seeAlso, targetForms, targets } from './facts.ts'
import { isExamples, type Note, notesOf } from './notes.ts'
import { bold, entry, example, italic, paragraph, placeholder, prose, section, subsection } from './roff.ts'

export interface Edition {
  readonly version: string
  /** YYYY-MM-DD, on which the text was changed last. */
  readonly date: string
}

/** An option that so many commands have, and describe alike, is described once. */
const COMMON = 4
const OWN_HELP = /^--(help|version|no-color)$/

/** @param program the whole tree, with every command loaded */
export function manualPage(program: Command, { version, date }: Edition): string {
  const all = allOf(program)
  const leaves = all.filter(command => command.commands.length === 0)
  const notes = new Map(all.map(command => [command, notesOf(command)]))
  const common = commonOptions(leaves)
  const parts = [
    `.TH TUNNELCTL 1 "${date}" "tunnelctl ${version}" "User Commands"`,
    // In short lines, blanks that make them equally long are ugly.
    '.ad l',
    section('NAME', `tunnelctl \\- a tunnel to services inside a Kubernetes cluster`),
    section(
      'SYNOPSIS',
      '.nf',
      ...leaves.map(synopsisOf),
      `${bold('tunnelctl')} ${bold('--help')} | ${bold('--version')}`,
      '.fi',
    ),
    section('DESCRIPTION', ...description.map(paragraph)),
    section('COMMANDS', ...leaves.map(command => commandPart(command, notes.get(command) ?? [], common))),
    section(
      'COMMON OPTIONS',
      paragraph(
        'Several commands have the first of these. --no-color and --help are for every command, and --version stands alone.',
      ),
      ...common.map(optionEntry),
      ...program.createHelp().visibleOptions(program).map(optionEntry),
    ),
    section('TARGETS', ...targetParts(notes)),
    section('ENVIRONMENT', ...environmentParts(leaves)),
    section('FILES', ...files.map(([name, meaning]) => entry(italic(name), prose(meaning)))),
    section('EXIT STATUS', ...exitParts()),
    section('EXAMPLES', ...all.flatMap(command => exampleParts(command, notes.get(command) ?? []))),
    section(
      'SEE ALSO',
      seeAlso.map(([name, part]) => `${bold(name)}(${part})`).join(',\n'),
      paragraph(
        'The folder docs of the package: errors.md explains every code, operations.md restarts and limits, protocol.md the wire.',
      ),
    ),
  ]
  return `.\\" Made from the command tree by: npm run man\n${parts.join('\n')}\n`
}

const allOf = (command: Command): Command[] => [command, ...command.commands.flatMap(allOf)]

const nameOf = (command: Command): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`

function synopsisOf(command: Command): string {
  const words = command.registeredArguments.map(argumentTerm)
  const behind = command.name() === 'connect' ? [`[${bold('--')} ${italic('command')} [${italic('argument')}...]]`] : []
  return [bold(nameOf(command)), `[${italic('option')}...]`, ...words, ...behind].join(' ')
}

function argumentTerm(argument: Argument): string {
  const name = `${italic(argument.name())}${argument.variadic ? '...' : ''}`
  return argument.required ? name : `[${name}]`
}

const visibleOptions = (command: Command): Option[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => !OWN_HELP.test(long ?? ''))

const keyOf = ({ flags, description }: Option): string => `${flags} ${description}`

/** In the order in which they are met. */
function commonOptions(commands: readonly Command[]): Option[] {
  const all = commands.flatMap(visibleOptions)
  const first = new Map(all.toReversed().map(option => [keyOf(option), option]))
  return [...first.values()]
    .filter(option => all.filter(each => keyOf(each) === keyOf(option)).length >= COMMON)
    .toSorted((a, b) => all.indexOf(a) - all.indexOf(b))
}

function commandPart(command: Command, notes: readonly Note[], common: readonly Option[]): string {
  const options = visibleOptions(command)
  const shared = options.filter(option => common.some(each => keyOf(each) === keyOf(option)))
  const own = options.filter(option => !shared.includes(option))
  const others = shared.map(({ long }) => long ?? '')
  const alias = command.alias()
  return subsection(
    nameOf(command),
    paragraph(command.description()),
    ...(alias === undefined || alias === '' ? [] : [paragraph(`Also: ${nameOf(command.parent as Command)} ${alias}.`)]),
    ...command.registeredArguments
      .filter(argument => argument.description !== '')
      .map(argument => entry(argumentTerm(argument), prose(sentence(argument.description)))),
    ...own.map(optionEntry),
    ...(others.length === 0 ? [] : [paragraph(`Also ${listed(others)}, as in COMMON OPTIONS.`)]),
    ...notes.filter(note => !isExamples(note) && note.heading !== 'Targets:').flatMap(noteParts),
  )
}

function optionEntry(option: Option): string {
  const [, value = ''] = /[<[](.*)[>\]]$/.exec(option.flags) ?? []
  const names = [option.short, option.long].filter(name => name !== undefined).map(bold)
  const { argChoices, defaultValue, mandatory, description } = option
  const notes = [
    // A choice is to be typed as it is.
    argChoices?.some(choice => description.startsWith(choice)) ? `${description}.` : sentence(description),
    ...(mandatory ? ['Required.'] : []),
    ...(typeof defaultValue === 'string' ? [`Default: ${defaultValue}.`] : []),
  ]
  return entry(`${names.join(', ')}${value === '' ? '' : ` ${placeholder(value)}`}`, prose(notes.join(' ')))
}

function targetParts(notes: ReadonlyMap<Command, readonly Note[]>): string[] {
  const [, examples] = [...notes].find(([command]) => command.name() === 'connect') ?? []
  const lines = examples?.find(({ heading }) => heading === 'Targets:')?.lines ?? []
  const joined = lines.join('\n').replace(/\n +/g, ' ').split('\n')
  return [
    paragraph(targets[0]),
    example(targetForms),
    paragraph(targets[1]),
    ...joined.map(line => {
      const [, form = '', meaning = ''] = /^(\S+) +(.*)$/.exec(line) ?? []
      return entry(bold(form), prose(sentence(meaning)))
    }),
  ]
}

function environmentParts(leaves: readonly Command[]): string[] {
  const without = leaves.flatMap(command => {
    const name = nameOf(command).replace('tunnelctl ', '')
    const all = visibleOptions(command)
    const only = all.filter(({ envVar }) => envVar === undefined)
    return only.length > 1 && only.length === all.length
      ? [`all of ${name}`]
      : only.map(({ long }) => `${long} of ${name}`)
  })
  return [
    paragraph(
      'Every option can be set by a variable that is called after it: TUNNELCTL_TOKEN_FILE is --token-file. An option that may be repeated takes values with commas between them. The command line goes before the environment, and that before the context in use; tunnelctl config view --show-origin says which it was.',
    ),
    paragraph(`Only on the command line: ${listed(without)}.`),
    ...environment.map(([names, meaning]) => entry(names.split(', ').map(bold).join(', '), prose(meaning))),
  ]
}

function exitParts(): string[] {
  const told = exitStatuses().map(({ status, meaning, codes }) =>
    entry(bold(status), prose(codes.length === 0 ? meaning : `${meaning} Codes: ${codes.join(', ')}.`)),
  )
  return [...told, paragraph(ownStatus)]
}

function exampleParts(command: Command, notes: readonly Note[]): string[] {
  const from = command.parent === null ? 'To begin with' : nameOf(command)
  return notes
    .filter(isExamples)
    .flatMap(({ heading, lines }) => [
      paragraph(heading.replace(/^Examples/, from)),
      example(lines.flatMap(remarkFirst)),
    ])
}

/** `command   remark`, or `to a file   command`, as shell has it. */
function remarkFirst(line: string): string[] {
  const [, file, added = ''] = /^(to .*?\S) {2,}(\S.*)$/.exec(line) ?? []
  if (file !== undefined) return [`# ${file}`, added]
  const [, command = line, remark] = /^(.*?\S) {2,}(\S.*)$/.exec(line) ?? []
  return remark === undefined ? [command] : [`# ${remark}`, command]
}

const noteParts = ({ heading, lines }: Note): string[] =>
  heading === '' ? lines.map(paragraph) : [paragraph(heading), example(lines.flatMap(remarkFirst))]

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

const listed = (words: readonly string[]): string => new Intl.ListFormat('en-GB').format(words)
