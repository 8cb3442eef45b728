/** For zsh, with its own _arguments: as a file on $fpath, or sourced. */
import type { CompletedCommand, Flag, Value } from './tree.ts'

export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef tunnelctl
# Completion of tunnelctl for zsh, made from its command tree. To use it, after compinit: source <(tunnelctl completion zsh)

${commands.map(functionOf).join('\n')}
# What tunnelctl knows at this moment.
_tunnelctl_live() {
    local -a found=("\${(@f)$(_call_program live tunnelctl __complete \${(q)1} \${(q)PREFIX} \${(@q)words[2,-1]} 2>/dev/null)}")
    compadd -- \${found:#}
}

if [[ $funcstack[1] == _tunnelctl ]]; then
    _tunnelctl "$@"
else
    compdef _tunnelctl tunnelctl
fi
`
}

function functionOf(command: CompletedCommand): string {
  const { path, commands, flags } = command
  const specs = [...flags.map(flagSpec), ...argumentSpecs(command)]
  const args = specs.map(spec => ` \\\n        ${spec}`).join('')
  if (commands.length === 0) return `${nameOf(path)}() {\n    _arguments -S${args}\n}\n`
  const arms = commands.map(({ name }) => `        ${name}) ${nameOf(`${path} ${name}`.trim())} ;;`)
  return `${nameOf(path)}() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    local -a commands=(
${commands.map(({ name, summary }) => `        ${quoted(`${name}:${summary.replace(/:/g, '\\:')}`)}`).join('\n')}
    )
    _arguments -C -S${args} && return
    [[ $state == command ]] && _describe command commands
    [[ $state == rest ]] && case $line[1] in
${arms.join('\n')}
    esac
}
`
}

function argumentSpecs({ commands, choices, live }: CompletedCommand): string[] {
  if (live !== undefined) return [quoted(`*: : _tunnelctl_live ${live}`)]
  if (commands.length > 0) return [quoted('1: :->command'), quoted('*:: :->rest')]
  return choices.length > 0 ? [quoted(`1: :(${choices.join(' ')})`)] : []
}

function flagSpec({ names, summary, value, repeatable }: Flag): string {
  const what = quoted(`[${summary.replace(/[[\]:\\]/g, '\\$&')}]${valueSpec(value)}`)
  const excludes = repeatable ? '*' : `(${names.join(' ')})`
  // With "=" behind it, a long flag takes its value in the same word too.
  const spellings = names.map(name => (value.kind !== 'none' && name.startsWith('--') ? `${name}=` : name))
  const spelled = spellings.length === 1 ? spellings[0] : `{${spellings.join(',')}}`
  return `${quoted(excludes)}${spelled}${what}`
}

function valueSpec(value: Value): string {
  switch (value.kind) {
    case 'none':
      return ''
    case 'file':
      return ':file:_files'
    case 'choice':
      return `: :(${value.choices.join(' ')})`
    case 'live':
      return `: : _tunnelctl_live ${value.live}`
    case 'text':
      return `:${value.label.replace(/:/g, '\\:')}: `
  }
}

const nameOf = (path: string): string => ['_tunnelctl', ...path.split(' ').filter(word => word !== '')].join('_')

const quoted = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`
