/** `tunnelctl agents`: the agents that are connected and that the token allows. */
import { Command } from 'commander'
import { formatColumns } from '../columns.ts'
import { applyContext, contextOption } from '../config/apply.ts'
import { askDirectory } from '../directory.ts'
import { type GatewayFlags, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'

interface Flags extends GatewayFlags {
  readonly output: 'table' | 'json' | 'name'
}

export function agentsCommand(io: Io): Command {
  const command = new Command('agents').description('Lists the agents that are connected and that the token allows.')
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(contextOption())
    .addOption(
      option('-o, --output <format>', 'table, json, or name: names alone')
        .choices(['table', 'json', 'name'])
        .default('table'),
    )
    .hook('preAction', async self => await applyContext(self, io))
    .action(async (flags: Flags) => {
      const agents = await askDirectory(flags, io)
      const rows = agents.map(({ name, services }) => ({ name, services: services.length }))
      if (flags.output === 'json') io.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
      else if (flags.output === 'name') io.stdout.write(rows.map(({ name }) => `${name}\n`).join(''))
      else if (rows.length > 0) {
        const cells = rows.map(({ name, services }) => [name, String(services)])
        io.stdout.write(formatColumns([['NAME', 'SERVICES'], ...cells]))
      }
      if (rows.length === 0) io.stderr.write('no agent is connected that the token allows\n')
    })
}
