/** Options that several commands share. Every option can be set by TUNNELCTL_<FLAG>; a flag goes before it. */
import { Option } from 'commander'
import { TunnelError } from '../errors.ts'
import { formatDuration, parseDuration } from '../net/duration.ts'
import { quote } from '../net/quote.ts'

/** An option with its environment variable: `--token-file <file>` reads TUNNELCTL_TOKEN_FILE. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description)
  return made.env(`TUNNELCTL_${made.name().replace(/-/g, '_').toUpperCase()}`)
}

/** For options that may be repeated; the environment variable separates values by commas. */
export function repeated(flags: string, description: string): Option {
  const collect = (value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    ...value.split(',').map(part => part.trim()),
  ]
  return option(flags, description).argParser(collect)
}

/** What a timer of Node takes; above it, it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * The value of a duration flag that ends up in a timer.
 * @throws TunnelError USAGE
 */
export function timerFlag(flag: string, text: string, leastMs = 1): number {
  const ms = parseDuration(text)
  if (ms >= leastMs && ms <= MAX_TIMER_MS) return ms
  throw new TunnelError('USAGE', `${flag} ${text} is out of range`, {
    hint: `give something from ${formatDuration(leastMs)} to ${formatDuration(MAX_TIMER_MS)}`,
  })
}

/**
 * The value of a flag in MiB, in bytes.
 * @throws TunnelError USAGE
 */
export function mebibytes(flag: string, text: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Number(text) * 1024 * 1024
  throw new TunnelError('USAGE', `${flag} ${quote(text)} is not a number of MiB`, {
    hint: 'give a whole number from 1',
  })
}

export const drainTimeoutOption = (description: string): Option =>
  option('--drain-timeout <duration>', description).default('30s')

export const redialOption = (): Option =>
  option('--redial-every <duration>', 'replace the carrier this often, before a load balancer ends it; default: never')

const LEAST_REDIAL_MS = 1_000

/** @throws TunnelError USAGE */
export function redialFrom({ redialEvery }: { readonly redialEvery?: string }): { readonly redialEveryMs?: number } {
  if (redialEvery === undefined) return {}
  return { redialEveryMs: timerFlag('--redial-every', redialEvery, LEAST_REDIAL_MS) }
}

export function refuseSecret(): never {
  throw new TunnelError('USAGE', 'a token is never given as an argument, which every process can read', {
    hint: 'give --token-file FILE (- for stdin) or set TUNNELCTL_TOKEN',
  })
}
