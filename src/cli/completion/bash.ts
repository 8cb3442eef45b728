/** For bash from 3.2 on, with or without the bash-completion package. */
import type { CompletedCommand, Flag } from './tree.ts'

export function bashScript(commands: readonly CompletedCommand[]): string {
  const steps = commands.flatMap(({ path, commands }) =>
    commands.map(({ name }) => ({ patterns: [`${path} ${name}`], action: `path='${`${path} ${name}`.trim()}'` })),
  )
  return `# Completion of tunnelctl for bash, made from its command tree. To use it: source <(tunnelctl completion bash)

_tunnelctl() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path='' words='' flags='' live='' index
    COMPREPLY=()
    # bash makes a word of its own of every "=".
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=\${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "$path \${COMP_WORDS[index]}" in
            *' --') return ;;
${arms(12, steps)}
        esac
    done
    case "$path $prev" in
${arms(8, [
  { patterns: flagsOf(commands, 'file'), action: '_tunnelctl_files && return' },
  ...choiceArms(commands),
  ...liveArms(commands),
  { patterns: flagsOf(commands, 'text'), action: 'return' },
])}
        *)
            case $path in
${commands.map(each => `                '${each.path}') words='${wordsOf(each)}' flags='${each.flags.flatMap(({ names }) => names).join(' ')}'${each.live === undefined ? '' : ` live=${each.live}`} ;;`).join('\n')}
            esac
            ;;
    esac
    if [[ $cur == -* ]]; then
        words=$flags
    elif [[ -n $live ]]; then
        _tunnelctl_live "$live"
        return
    fi
    # shellcheck disable=SC2207
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

# readline completes the names of files best; bash before 4 cannot be asked to.
_tunnelctl_files() {
    compopt -o default 2>/dev/null && return
    # shellcheck disable=SC2207
    local IFS=$'\\n' && COMPREPLY=($(compgen -f -- "$cur"))
}

# What tunnelctl knows at this moment. It is asked for what stands before the cursor, from the last blank on.
_tunnelctl_live() {
    local line=\${COMP_LINE-$cur} found strip=''
    line=\${line:0:\${COMP_POINT-\${#line}}}
    line=\${line##*[[:space:]]}
    # To readline a word begins behind its last colon.
    [[ \${COMP_WORDBREAKS-:} == *:* ]] && strip=\${line%"\${line##*:}"}
    while IFS= read -r found; do
        COMPREPLY+=("\${found#"$strip"}")
    done < <(_tunnelctl_run __complete "$1" "$line" "\${COMP_WORDS[@]:1}" 2>/dev/null </dev/null)
}

# An alias for npx is no program.
_tunnelctl_run() {
    if type -P tunnelctl >/dev/null; then
        command tunnelctl "$@"
    else
        npx --no-install tunnelctl "$@"
    fi
}

complete -F _tunnelctl tunnelctl
`
}

interface Arm {
  readonly patterns: readonly string[]
  readonly action: string
}

/** Of a case, so far to the right. */
const arms = (indent: number, all: readonly Arm[]): string =>
  all
    .map(({ patterns, action }) => `${patterns.map(pattern => `'${pattern}'`).join(' | ')}) ${action} ;;`)
    .map(line => ' '.repeat(indent) + line)
    .join('\n')

const wordsOf = ({ commands, choices }: CompletedCommand): string =>
  [...commands.map(({ name }) => name), ...choices].join(' ')

const named = (path: string, { names }: Flag): string[] => names.map(name => `${path} ${name}`)

function flagsOf(commands: readonly CompletedCommand[], kind: 'file' | 'text'): string[] {
  return commands.flatMap(({ path, flags }) =>
    flags.filter(flag => flag.value.kind === kind).flatMap(flag => named(path, flag)),
  )
}

const liveArms = (commands: readonly CompletedCommand[]): Arm[] =>
  commands.flatMap(({ path, flags }) =>
    flags.flatMap(flag =>
      flag.value.kind === 'live'
        ? [{ patterns: named(path, flag), action: `_tunnelctl_live ${flag.value.live} && return` }]
        : [],
    ),
  )

function choiceArms(commands: readonly CompletedCommand[]): Arm[] {
  return commands.flatMap(({ path, flags }) =>
    flags.flatMap(flag =>
      flag.value.kind === 'choice'
        ? [{ patterns: named(path, flag), action: `words='${flag.value.choices.join(' ')}'` }]
        : [],
    ),
  )
}
