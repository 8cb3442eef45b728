#!/usr/bin/env node
// What kubectl asks for words behind `kubectl tunnelctl`: it gets the line so far and wants candidates, one a line, and a number
// that says not to offer files (cobra's ShellCompDirectiveNoFileComp). The script for bash knows them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = `
  source "$1"; shift
  COMP_WORDS=(tunnelctl "$@"); COMP_CWORD=$#
  COMP_LINE="tunnelctl $*" COMP_WORDBREAKS=' '
  COMP_POINT=\${#COMP_LINE}
  _tunnelctl
  [[ \${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "\${COMPREPLY[@]}"
`
const completions = fileURLToPath(new URL('../completions/tunnelctl.bash', import.meta.url))
const args = ['--norc', '-c', script, 'bash', completions, ...process.argv.slice(2)]
const { stdout } = spawnSync('bash', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
process.stdout.write(`${stdout ?? ''}:4\n`)
