/** How help looks: the notes behind an option are its default and its environment variable, and nothing twice. */
import type { Argument, Command, HelpConfiguration, Option } from 'commander'

export const helpStyle: HelpConfiguration = {
  /** A description names the choices itself, and says what each is for. */
  optionDescription(option: Option): string {
    const { description, envVar, mandatory, variadic } = option
    const notes = [
      mandatory ? '[required]' : '',
      defaultOf(option),
      envVar === undefined ? '' : `[env: ${envVar}${variadic ? ', separated by commas' : ''}]`,
    ]
    const after = notes.filter(note => note !== '').join(' ')
    return after === '' ? description : `${description}\n${after}`
  },
  argumentDescription: (argument: Argument): string => argument.description,
  subcommandTerm: (command: Command): string => command.name(),
}

function defaultOf({ defaultValue, defaultValueDescription }: Option): string {
  if (typeof defaultValue !== 'string') return ''
  return `[default: ${defaultValueDescription ?? defaultValue}]`
}
