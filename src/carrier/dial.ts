/** Dials a gateway: one WebSocket with the credentials in its header, or one TunnelError that says why not. */
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { isLoopback } from '../net/loopback.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import { approach, type GatewayAddress } from './approach.ts'
import type { Carrier } from './carrier.ts'
import { explain, refusalOf, unreachable } from './refusal.ts'
import { clientOptions, Upgrade, type Upgraded } from './upgrade.ts'
import { WebSocketCarrier } from './websocket.ts'

export interface DialOptions extends GatewayAddress {
  readonly role: 'connect' | 'agent'
  /** Absent: none is sent, for a certificate names this end. */
  readonly token?: string | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000

/**
 * The gateway's address from what a user types: `wss://host[:port][/path]`; `https:` and `http:` are taken for it.
 * @throws TunnelError USAGE
 */
export function parseGatewayUrl(text: string): URL {
  const hint = 'write it as wss://gateway.example.com, or ws://127.0.0.1:8080 on this machine'
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new TunnelError('USAGE', `${JSON.stringify(text)} is not a URL`, { hint })
  }
  const protocol = { 'ws:': 'ws:', 'http:': 'ws:', 'wss:': 'wss:', 'https:': 'wss:' }[url.protocol]
  if (protocol === undefined) throw new TunnelError('USAGE', `${JSON.stringify(text)} is not a ws or wss URL`, { hint })
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    throw new TunnelError('USAGE', 'the gateway URL must not hold credentials or a query', {
      hint: 'give the token with --token-file FILE or TUNNELCTL_TOKEN',
    })
  }
  url.protocol = protocol
  return url
}

/**
 * Resolves with an open carrier on which nothing was said yet.
 * @throws TunnelError
 */
export async function dialGateway(options: DialOptions): Promise<Carrier> {
  const { url, role, token, clock, signal } = options
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const endpoint = new URL(url)
  endpoint.pathname = pathBelow(url, `/v1/${role}`)
  const masking = url.protocol === 'wss:' || isLoopback(url.hostname) ? 'zero' : 'random'
  const approached = await approach(options, token)
  return await new Promise((resolve, reject) => {
    const upgrade = new Upgrade(endpoint, SUBPROTOCOL, { ...clientOptions, ...approached })
    let settled = false
    const settle = (outcome: TunnelError | Upgraded) => {
      if (settled) return
      settled = true
      cancel()
      signal.removeEventListener('abort', aborted)
      if (!(outcome instanceof TunnelError)) return resolve(new WebSocketCarrier(outcome, { clock, masking }))
      reject(outcome)
      upgrade.terminate()
    }
    const cancel = clock.after(timeoutMs, () =>
      settle(unreachable(url, `it did not answer within ${timeoutMs / 1000} s`)),
    )
    const aborted = () => settle(new TunnelError('INTERRUPTED', 'interrupted'))
    // Stays for the socket's life: `terminate` before the connection is made emits an error too.
    upgrade.on('error', error => settle(explain(url, error)))
    upgrade.on('unexpected-response', (_request, response) => {
      void refusalOf(url, response).then(settle)
    })
    upgrade.on('open', () => {
      if (upgrade.upgraded !== undefined) settle(upgrade.upgraded)
    })
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

/** Where a request to the gateway goes that is no upgrade: `path` below the path that the gateway lives under. */
export function gatewayEndpoint(url: URL, path: string): URL {
  const endpoint = new URL(url)
  endpoint.protocol = url.protocol === 'wss:' ? 'https:' : 'http:'
  endpoint.pathname = pathBelow(url, path)
  return endpoint
}

const pathBelow = ({ pathname }: URL, path: string): string => `${pathname.replace(/\/$/, '')}${path}`
