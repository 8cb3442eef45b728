/** The shells that there is a completion for, and the files in completions/ that hold it. */

export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const

export type Shell = (typeof shells)[number]

export const scriptFiles: Readonly<Record<Shell, string>> = {
  bash: 'tunnelctl.bash',
  zsh: '_tunnelctl',
  fish: 'tunnelctl.fish',
  powershell: 'tunnelctl.ps1',
}
