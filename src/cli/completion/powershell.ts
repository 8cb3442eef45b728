/** For PowerShell. Where the script offers nothing, PowerShell itself offers files. */
import type { CompletedCommand } from './tree.ts'

export function powershellScript(commands: readonly CompletedCommand[]): string {
  return `# Completion of tunnelctl for PowerShell, made from its command tree.
# To use it: tunnelctl completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName tunnelctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What may follow each command, and each flag that takes one of a few words.
    $words = @{
${commands.map(wordsOf).join('\n')}
    }
    $values = @{
${commands.flatMap(valuesOf).join('\n')}
    }
    # What tunnelctl knows at this moment.
    $live = @{
${commands.flatMap(liveOf).join('\n')}
    }

    $path = ''
    $previous = ''
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $previous = $element.ToString()
        $longer = "$path $previous".Trim()
        if ($words.ContainsKey($longer)) { $path = $longer }
    }
    $asked = if ($live.ContainsKey("$path $previous")) { "$path $previous" } else { $path }
    if ($live.ContainsKey($asked) -and $wordToComplete -notlike '-*') {
        $line = $commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() }
        $offered = & tunnelctl __complete $live[$asked] $wordToComplete @line 2>$null | ForEach-Object { , @($_, $_) }
    } elseif ($values.ContainsKey("$path $previous")) {
        $offered = $values["$path $previous"] | ForEach-Object { , @($_, $_) }
    } else {
        $offered = $words[$path]
    }
    $offered | Where-Object { $_[0] -like "$wordToComplete*" } | ForEach-Object {
        if ($_[0] -notlike '-*' -or $wordToComplete -like '-*') {
            [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
        }
    }
}
`
}

function wordsOf({ path, commands, choices, flags }: CompletedCommand): string {
  const rows = [
    ...commands.map(({ name, summary }) => row(name, summary)),
    ...choices.map(choice => row(choice, choice)),
    ...flags.flatMap(({ names, summary }) => names.map(name => row(name, summary))),
  ]
  return `        '${path}' = @(\n${rows.join(',\n')}\n        )`
}

const row = (word: string, tip: string): string => `            @('${word}', '${tip.replace(/['‘’]/g, '$&$&')}')`

const liveOf = ({ path, flags, live }: CompletedCommand): string[] => [
  ...(live === undefined ? [] : [`        '${path}' = '${live}'`]),
  ...flags.flatMap(({ names, value }) =>
    value.kind === 'live' ? names.map(name => `        '${path} ${name}' = '${value.live}'`) : [],
  ),
]

function valuesOf({ path, flags }: CompletedCommand): string[] {
  return flags.flatMap(({ names, value }) =>
    value.kind === 'choice'
      ? names.map(name => `        '${path} ${name}' = @(${value.choices.map(each => `'${each}'`).join(', ')})`)
      : [],
  )
}
