/** From the command tree to the scripts. Only the build of completions/ and its test load this. */
import type { Command } from 'commander'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { powershellScript } from './powershell.ts'
import type { Shell } from './shells.ts'
import { type CompletedCommand, completedCommands } from './tree.ts'
import { zshScript } from './zsh.ts'

const scripts: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
}

/** @param program the whole tree, with every command loaded */
export function completionScript(shell: Shell, program: Command): string {
  return scripts[shell](completedCommands(program))
}
