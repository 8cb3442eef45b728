/** Options that several commands share. Every option can be set by TUNNELCTL_<FLAG>; a flag goes before it. */
import { existsSync } from 'node:fs'
import { Option } from 'commander'
import type { Carrier } from '../carrier/carrier.ts'
import { dialGateway, type GatewayAddress, parseGatewayUrl } from '../carrier/dial.ts'
import { systemClock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import type { Role } from '../net/claims.ts'
import { formatDuration, parseDuration } from '../net/duration.ts'
import { isLoopback } from '../net/loopback.ts'
import { quote } from '../net/quote.ts'
import { grantFile, readToken } from '../token/secret.ts'
import type { Io } from './io.ts'
import { proxyFor } from './proxy.ts'

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

export interface GatewayFlags {
  readonly gateway?: string
  readonly tokenFile?: string
  readonly caFile?: string
  readonly allowPlaintext?: boolean | string
}

export const gatewayOptions = (): Option[] => [
  option('--gateway <url>', 'the gateway to dial, as wss://gateway.example.com'),
  option('--token-file <file>', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
  option('--ca-file <file>', "PEM file of a private authority that signed the gateway's certificate"),
  option('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
  new Option('--token [secret]').hideHelp().argParser(refuseSecret),
]

export interface GatewayDialler {
  readonly address: GatewayAddress
  readonly token: string
  readonly dial: (signal: AbortSignal) => Promise<Carrier>
}

/** @throws TunnelError USAGE */
function gatewayUrl({ gateway }: GatewayFlags): URL {
  if (gateway !== undefined) return parseGatewayUrl(gateway)
  throw new TunnelError('USAGE', 'no gateway was given', {
    hint: 'give --gateway URL, set TUNNELCTL_GATEWAY, or keep one with: tunnelctl login --gateway URL',
  })
}

/**
 * Where the gateway is, and how it is reached.
 * @throws TunnelError USAGE, also when the token would cross a network in the clear
 */
export async function gatewayAddress(flags: GatewayFlags, { env }: Pick<Io, 'env'>): Promise<GatewayAddress> {
  const url = gatewayUrl(flags)
  const { caFile, allowPlaintext } = flags
  if (url.protocol === 'ws:' && !isLoopback(url.hostname) && !allowPlaintext) {
    throw new TunnelError('USAGE', `${url.host} would get the token in the clear: ws:// has no TLS`, {
      hint: 'write wss://, or give --allow-plaintext where the network is yours alone',
    })
  }
  const proxy = await proxyFor(url, env)
  return { url, ...(caFile !== undefined && { caFile }), ...(proxy !== undefined && { agent: proxy.agent }) }
}

/**
 * The function that dials the gateway; it reads the token again each time, so that a rotated file is picked up. The token
 * is read once here too, so that a wrong file is told at once.
 * @throws TunnelError USAGE, TOKEN_FILE
 */
export async function gatewayDialler(flags: GatewayFlags, role: Role, io: Io): Promise<GatewayDialler> {
  const address = await gatewayAddress(flags, io)
  const first = await tokenOf(flags, io)
  return {
    address,
    token: first,
    dial: async signal => {
      const token =
        flags.tokenFile === undefined || flags.tokenFile === '-' ? first : await freshToken(flags, io, warned)
      return await dialGateway({ ...address, role, token, clock: systemClock, signal })
    },
  }
}

/** About the file, the first time. */
const warned = (): void => {}

/**
 * The token, renewed if it is due, with a warning when others may read its file.
 * @throws TunnelError TOKEN_FILE
 */
export const tokenOf = (flags: GatewayFlags, io: Io): Promise<string> =>
  freshToken(flags, io, message => io.stderr.write(`warning: ${message}\n`))

async function freshToken(
  { tokenFile }: GatewayFlags,
  { env, stdin }: Io,
  warn: (message: string) => void,
): Promise<string> {
  if (tokenFile !== undefined && existsSync(grantFile(tokenFile))) {
    const { renewIfDue } = await import('./renewal.ts')
    await renewIfDue(tokenFile, Date.now)
  }
  return await readToken({ tokenFile, env, stdin, warn })
}

export function refuseSecret(): never {
  throw new TunnelError('USAGE', 'a token is never given as an argument, which every process can read', {
    hint: 'give --token-file FILE (- for stdin) or set TUNNELCTL_TOKEN',
  })
}
