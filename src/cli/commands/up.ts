/** `tunnelctl up`: `connect`, with what the team has committed in tunnelctl.yaml. */
import { cwd } from 'node:process'
import { Command } from 'commander'
import { profileArguments } from '../config/profile.ts'
import { ExitWith } from '../exit.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'

const examples = `
In tunnelctl.yaml, here or in a folder above:
  forwards: [db/prod:5432, 6380:cache/prod:6379]
  profiles:
    staging:
      context: staging
      forwards: [db/staging:5432]

Examples:
  tunnelctl up           what stands at the top
  tunnelctl up staging   a profile

A profile may also have agent, namespace and socks5. It listens on loopback
only; gateway and token are your own, as for tunnelctl connect.
`

/** @param run another command line of this program; gives its exit code */
export function upCommand(io: Io, run: (args: readonly string[]) => Promise<number>): Command {
  return new Command('up')
    .description('Opens all forwards that tunnelctl.yaml lists, and keeps them open until Ctrl-C.')
    .argument('[profile]', 'one of its profiles; without it, what stands at the top')
    .addOption(option('--file <file>', 'this file, in place of the nearest tunnelctl.yaml'))
    .addHelpText('after', examples)
    .action(async (profile: string | undefined, { file }: { file?: string }) => {
      const found = await profileArguments(profile, { folder: cwd(), file })
      io.stderr.write(`opening what ${found.file} lists\n`)
      throw new ExitWith(await run(['connect', ...found.args]))
    })
}
