/** What `connect` is to open, out of what was typed. */
import type { ProxyAt } from '../connect/proxy.ts'
import { TunnelError } from '../errors.ts'
import { isAgentName } from '../net/claims.ts'
import { parseHostPort } from '../net/listen.ts'
import { quote } from '../net/quote.ts'
import { type Forward, parseForward } from '../net/target.ts'
import type { GatewayFlags } from './gateway-options.ts'

export interface ForwardFlags extends GatewayFlags {
  readonly agent?: string
  readonly namespace?: string
  readonly address?: string
  readonly stdio?: boolean
  readonly socks5?: string
}

/**
 * The targets' forwards, with the proxy behind them; `only` is the first target's.
 * @throws TunnelError USAGE, BAD_TARGET
 */
export function forwardsFrom(
  targets: readonly string[],
  flags: ForwardFlags,
): { readonly forwards: readonly (Forward | ProxyAt)[]; readonly only: Forward | undefined } {
  const { agent, namespace, address, socks5, stdio, tokenFile } = flags
  const targeted = targets.map(target => withAddress(parseForward(target, namespace), address))
  const forwards = socks5 === undefined ? targeted : [...targeted, proxyAt(socks5, flags)]
  const [only] = targeted
  if (forwards.length === 0) {
    throw new TunnelError('USAGE', 'no target was given', {
      hint: 'name one, for example: tunnelctl connect db/prod:5432',
    })
  }
  if (agent !== undefined && !isAgentName(agent)) {
    throw new TunnelError('USAGE', `${quote(agent)} is not the name of an agent`, {
      hint: 'use a-z, 0-9 and -, at most 63 characters',
    })
  }
  const plain = only?.port === undefined && only?.path === undefined && only?.target.protocol === 'tcp'
  if (stdio && (forwards.length !== 1 || !plain)) {
    throw new TunnelError('USAGE', '--stdio takes one target of TCP, and nothing local')
  }
  if (stdio && tokenFile === '-') {
    throw new TunnelError('USAGE', 'stdin cannot carry both the token and the data of --stdio', {
      hint: 'give --token-file FILE or set TUNNELCTL_TOKEN',
    })
  }
  return { forwards, only }
}

/** @throws TunnelError USAGE when a command stands behind `--` that cannot be there */
export function checkBeside(
  beside: readonly string[] | undefined,
  { stdio, output }: { readonly stdio?: boolean; readonly output: string },
): void {
  if (beside === undefined || (beside.length > 0 && !stdio && output !== 'json')) return
  const what = beside.length === 0 ? 'is empty' : 'has the terminal, and stdout, for itself'
  throw new TunnelError('USAGE', `the command behind -- ${what}`, {
    hint: 'write it as: tunnelctl connect db/prod:5432 -- psql -h {host} -p {port}',
  })
}

/** `1080`, `127.0.0.1:1080`. */
function proxyAt(text: string, { address, namespace }: ForwardFlags): ProxyAt {
  if (!/^[0-9]{1,5}$/.test(text)) {
    const { host, port } = parseHostPort(text)
    return { proxy: { address: host, port }, namespace }
  }
  const { port } = parseHostPort(`localhost:${text}`)
  return { proxy: address === undefined ? { port } : { address, port }, namespace }
}

const withAddress = (forward: Forward, address: string | undefined): Forward =>
  address === undefined || forward.address !== undefined || forward.path !== undefined
    ? forward
    : { ...forward, address }
