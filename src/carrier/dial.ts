/** Dials a gateway: one WebSocket with the credentials in its header, or one TunnelError that says why not. */
import { readFileSync } from 'node:fs'
import type { Agent } from 'node:http'
import type { Clock } from '../clock.ts'
import { TunnelError } from '../errors.ts'
import { isLoopback } from '../net/loopback.ts'
import { explainFileError } from '../net/smallfile.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import type { Carrier } from './carrier.ts'
import { explain, refusalOf, unreachable } from './refusal.ts'
import { clientOptions, Upgrade, type Upgraded } from './upgrade.ts'
import { WebSocketCarrier } from './websocket.ts'

export interface GatewayAddress {
  /** `ws:` or `wss:`, with a path if the gateway lives under one. */
  readonly url: URL
  /** PEM file of the certificate authority that has signed the gateway's certificate. */
  readonly caFile?: string
  /** Makes the connection, through a proxy. Absent: it is made directly. */
  readonly agent?: Agent
}

export interface DialOptions extends GatewayAddress {
  readonly role: 'connect' | 'agent'
  readonly token: string
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
export function dialGateway(options: DialOptions): Promise<Carrier> {
  const { url, role, token, clock, signal } = options
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const endpoint = new URL(url)
  endpoint.pathname = pathBelow(url, `/v1/${role}`)
  const masking = url.protocol === 'wss:' || isLoopback(url.hostname) ? 'zero' : 'random'
  const ca = options.caFile === undefined ? undefined : readCa(options.caFile)
  return new Promise((resolve, reject) => {
    const upgrade = new Upgrade(endpoint, SUBPROTOCOL, {
      ...clientOptions,
      headers: { authorization: `Bearer ${token}` },
      ...(ca !== undefined && { ca }),
      ...(options.agent !== undefined && { agent: options.agent }),
    })
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

export function readCa(file: string): string {
  const hint = 'give the PEM file of the authority with --ca-file'
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new TunnelError('USAGE', `cannot read the CA file ${file}: ${explainFileError(cause)}`, { cause, hint })
  }
  // TLS would pass over anything else in silence, and then know no authority at all.
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new TunnelError('USAGE', `the CA file ${file} holds no certificate`, { hint })
}
