/** `tunnelctl completion`: prints a completion script. */
import { Argument, Command } from 'commander'
import { readScript } from '../completion/script.ts'
import { type Shell, shells } from '../completion/shells.ts'
import type { Io } from '../io.ts'

const install = `
To have it in every new shell, add the line of yours:
  to ~/.bashrc                    source <(tunnelctl completion bash)
  to ~/.zshrc, after compinit     source <(tunnelctl completion zsh)
  to ~/.config/fish/config.fish   tunnelctl completion fish | source
  to $PROFILE of PowerShell       tunnelctl completion powershell | Out-String | Invoke-Expression

With npx there is no command to complete, until you make one:
  tunnelctl() { npx -y tunnelctl "$@"; }
`

export function completionCommand(io: Io): Command {
  return new Command('completion')
    .description('Prints a script that completes commands and flags of tunnelctl at the Tab key.')
    .addArgument(new Argument('<shell>', `your shell: ${shells.join(', ')}`).choices(shells))
    .addHelpText('after', install)
    .action(async (shell: Shell) => {
      io.stdout.write(await readScript(shell))
    })
}
