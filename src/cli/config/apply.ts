/** Precedence: flag, environment, context, default. A context fills what flags and environment leave open. */
import { existsSync } from 'node:fs'
import type { Command, Option } from 'commander'
import type { Io } from '../io.ts'
import { option } from '../options.ts'
import { type Context, type ContextKey, contextKeys, gatewayKeys } from './context.ts'
import { configFile } from './paths.ts'

export const contextOption = (): Option =>
  option('--context <name>', 'a context of your configuration, in place of the current one')

/** What is set by the user, before or after the defaults. */
const CHOSEN: ReadonlySet<string | undefined> = new Set(['cli', 'env'])

/** Another gateway, that is named by flag or environment, gets none of them. */
const OF_THE_GATEWAY: ReadonlySet<ContextKey> = new Set(gatewayKeys)

/**
 * Fills the options of `command` from the context in use; for a `preAction` hook. Without a configuration nothing happens.
 * @throws TunnelError USAGE when the configuration is malformed, or `--context` names none of it
 */
export async function applyContext(command: Command, io: Io): Promise<void> {
  const { context } = await contextInUse(command, io)
  // The token that the environment holds goes before the file of the context.
  const token = CHOSEN.has(command.getOptionValueSource('tokenFile')) || (io.env.TUNNELCTL_TOKEN ?? '') !== ''
  const isElsewhere =
    CHOSEN.has(command.getOptionValueSource('gateway')) &&
    command.opts<{ gateway?: string }>().gateway !== context.gateway
  for (const key of contextKeys) {
    const value = context[key]
    if (value === undefined || (key === 'token-file' && token)) continue
    if (isElsewhere && OF_THE_GATEWAY.has(key)) continue
    const name = attributeOf(key)
    if (CHOSEN.has(command.getOptionValueSource(name)) || !hasOption(command, key)) continue
    command.setOptionValueWithSource(name, value, 'config')
  }
}

export interface ContextInUse {
  readonly name?: string
  readonly context: Context
  readonly file: string
}

/** @throws TunnelError USAGE */
export async function contextInUse(command: Command, io: Io): Promise<ContextInUse> {
  const { context: chosen } = command.opts<{ context?: string }>()
  const file = configFile(io.env)
  // Without a configuration, reading YAML is not paid for.
  if (chosen === undefined && !existsSync(file)) return { context: {}, file }
  const { Config } = await import('./config.ts')
  const config = await Config.load(file)
  const name = chosen ?? config.current
  return name === undefined ? { context: {}, file } : { name, context: config.context(name), file }
}

const hasOption = (command: Command, key: ContextKey): boolean =>
  command.options.some(({ long }) => long === `--${key}`)

/** `token-file` is `tokenFile` to commander. */
export const attributeOf = (key: ContextKey): string =>
  key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
