/** `tunnelctl config view`: what holds for this user now, and where it comes from. */
import { Command } from 'commander'
import { escapeText } from '../../observe/escape.ts'
import { formatColumns } from '../columns.ts'
import { contextInUse, contextOption } from '../config/apply.ts'
import { contextKeys } from '../config/context.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'

interface Row {
  readonly key: string
  readonly value: string
  readonly origin: string
}

export function configCommand(io: Io): Command {
  const command = new Command('config').description('Shows your configuration.')
  command
    .command('view')
    .summary('show what holds now: environment, then context')
    .description(
      'Shows what holds now. A flag goes before the environment, that before the context. Secrets are not shown.',
    )
    .addOption(contextOption())
    .addOption(option('--show-origin', 'say where each value is set'))
    .action(async (_flags: object, self: Command) => {
      const { showOrigin } = self.opts<{ showOrigin?: boolean }>()
      const rows = await rowsOf(self, io)
      const cells = rows.map(({ key, value, origin }) => (showOrigin ? [key, value, origin] : [key, value]))
      io.stdout.write(formatColumns(cells))
    })
  return command
}

/** What only a flag or the environment may say. */
const UNKEPT = ['header', 'insecure-skip-verify'] as const

const variableOf = (key: string): string => `TUNNELCTL_${key.replace(/-/g, '_').toUpperCase()}`

async function rowsOf(command: Command, io: Io): Promise<Row[]> {
  const { name, context, file } = await contextInUse(command, io)
  const rows: Row[] = [{ key: 'config', value: file, origin: io.env.TUNNELCTL_CONFIG ? 'TUNNELCTL_CONFIG' : 'default' }]
  if (name !== undefined) {
    const chosen = command.getOptionValueSource('context')
    const origin = chosen === 'cli' ? '--context' : chosen === 'env' ? 'TUNNELCTL_CONTEXT' : file
    rows.push({ key: 'context', value: name, origin })
  }
  for (const key of contextKeys) {
    const variable = variableOf(key)
    const set = io.env[variable]
    if (set !== undefined && set !== '') rows.push({ key, value: set, origin: variable })
    else if (key === 'token-file' && (io.env.TUNNELCTL_TOKEN ?? '') !== '')
      rows.push({ key: 'token', value: '(not shown)', origin: 'TUNNELCTL_TOKEN' })
    else if (context[key] !== undefined) rows.push({ key, value: context[key], origin: `context ${name}` })
  }
  for (const name of UNKEPT) {
    const variable = variableOf(name)
    if (io.env[variable] !== undefined)
      rows.push({ key: name, value: name === 'header' ? '(not shown)' : String(io.env[variable]), origin: variable })
  }
  return rows.map(row => ({ ...row, value: escapeText(row.value, 1_000) }))
}
