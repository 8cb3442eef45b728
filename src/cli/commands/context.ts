/** `tunnelctl context`: the gateways that this user talks to, and the one in use. */
import { rm } from 'node:fs/promises'
import { Command } from 'commander'
import { escapeText } from '../../observe/escape.ts'
import { grantFile } from '../../token/secret.ts'
import { formatColumns } from '../columns.ts'
import { Config } from '../config/config.ts'
import type { Context } from '../config/context.ts'
import { besideConfig, configFile } from '../config/paths.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'

const examples = `
Examples:
  tunnelctl login --gateway wss://gateway.example.com   make a context, and use it
  tunnelctl context list
  tunnelctl context use staging
  tunnelctl connect --context prod db/prod:5432         use another one, once
`

export function contextCommand(io: Io): Command {
  const command = new Command('context')
    .description('Shows and changes the contexts of your configuration: each is a gateway, and how to talk to it.')
    .addHelpText('after', examples)
  const load = async () => await Config.load(configFile(io.env))
  const say = (line: string) => void io.stderr.write(`${line}\n`)
  command
    .command('list')
    .alias('ls')
    .summary('list the contexts; the current one has a star')
    .description('Lists the contexts; the current one has a star.')
    .addOption(
      option('-o, --output <format>', 'table, json, or name: the names alone')
        .choices(['table', 'json', 'name'])
        .default('table'),
    )
    .action(async ({ output }: { output: 'table' | 'json' | 'name' }) => {
      const config = await load()
      io.stdout.write(listing(config, output))
      if (config.names.length === 0) say('there is no context: make one with tunnelctl login --gateway URL')
    })
  command
    .command('show')
    .summary('show a context, or the current one')
    .description('Shows what a context says, or the current one.')
    .argument('[name]')
    .action(async (name: string | undefined) => {
      const config = await load()
      const chosen = name ?? config.current
      if (chosen === undefined) return say('there is no current context')
      const rows = Object.entries({ name: chosen, ...config.context(chosen) })
      io.stdout.write(rows.map(([key, value]) => `${key}: ${escapeText(String(value))}\n`).join(''))
    })
  command
    .command('use')
    .summary('make a context the current one')
    .description('Makes a context the current one.')
    .argument('<name>')
    .action(async (name: string) => {
      const config = await load()
      config.use(name)
      await config.save()
      say(`context ${name} is the current one`)
    })
  command
    .command('rename')
    .summary('give a context another name')
    .description('Gives a context another name.')
    .argument('<from>')
    .argument('<to>')
    .action(async (from: string, to: string) => {
      const config = await load()
      config.rename(from, to)
      await config.save()
      say(`context ${from} is now ${to}`)
    })
  command
    .command('remove')
    .alias('rm')
    .summary('remove a context, and the token that login has stored for it')
    .description('Removes a context, and what login has stored for it.')
    .argument('<name>')
    .action(async (name: string) => {
      const config = await load()
      const { 'token-file': tokenFile } = config.context(name)
      config.remove(name)
      await config.save()
      if (tokenFile === storedToken(config.file, name)) {
        await Promise.all([tokenFile, grantFile(tokenFile)].map(file => rm(file, { force: true })))
      }
      say(`context ${name} is gone`)
    })
  return command
}

/** Where `login` keeps a token that was pasted. */
export const storedToken = (config: string, name: string): string =>
  besideConfig(config, `tokens/${encodeURIComponent(name)}.token`)

function listing(config: Config, output: 'table' | 'json' | 'name'): string {
  const all = config.names.map(name => ({ name, current: name === config.current, ...config.context(name) }))
  if (output === 'name') return all.map(({ name }) => `${name}\n`).join('')
  if (output === 'json') return `${JSON.stringify(all, null, 2)}\n`
  if (all.length === 0) return ''
  const rows = all.map((each: { name: string; current: boolean } & Context) => [
    each.current ? '*' : '',
    each.name,
    each.gateway ?? '',
    each.agent ?? '',
    each.namespace ?? '',
  ])
  return formatColumns([['', 'NAME', 'GATEWAY', 'AGENT', 'NAMESPACE'], ...rows])
}
