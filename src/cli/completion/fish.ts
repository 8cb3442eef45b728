/** For fish. */
import type { CompletedCommand, Flag } from './tree.ts'

export function fishScript(commands: readonly CompletedCommand[]): string {
  return `# Completion of tunnelctl for fish, made from its command tree. To use it: tunnelctl completion fish | source

# True when the words so far lead to the command given.
function __tunnelctl_at
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
${steps(commands).join('\n')}
        end
    end
    test "$path" = "$argv"
end

# What tunnelctl knows at this moment.
function __tunnelctl_live
    set -l word (commandline -ct)
    command tunnelctl __complete $argv "$word" (commandline -opc)[2..-1] 2>/dev/null
end

complete -c tunnelctl -f
${commands.flatMap(linesOf).join('\n')}
`
}

function steps(commands: readonly CompletedCommand[]): string[] {
  return commands.flatMap(({ path, commands }) =>
    commands.map(
      ({ name }) => `            case '${path} ${name}'\n                set path ${`${path} ${name}`.trim()}`,
    ),
  )
}

function linesOf({ path, commands, flags, choices, live }: CompletedCommand): string[] {
  const at = `complete -c tunnelctl -n '${`__tunnelctl_at ${path}`.trim()}'`
  return [
    ...commands.map(({ name, summary }) => `${at} -a ${name} -d ${quoted(summary)}`),
    ...(choices.length > 0 ? [`${at} -a '${choices.join(' ')}'`] : []),
    ...(live === undefined ? [] : [`${at} -a '(__tunnelctl_live ${live})'`]),
    ...flags.map(flag => `${at}${namesOf(flag)}${valueAfter(flag)} -d ${quoted(flag.summary)}`),
  ]
}

const namesOf = ({ names }: Flag): string =>
  names.map(name => (name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`)).join('')

function valueAfter({ value }: Flag): string {
  switch (value.kind) {
    case 'none':
      return ''
    case 'file':
      return ' -r -F'
    case 'choice':
      return ` -x -a '${value.choices.join(' ')}'`
    case 'live':
      return ` -x -a '(__tunnelctl_live ${value.live})'`
    case 'text':
      return ' -x'
  }
}

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
