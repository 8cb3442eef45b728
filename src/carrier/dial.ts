/** Dials a gateway: one WebSocket with the credentials in its header, or one TunnelError that says why not. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Clock } from '../clock.ts'
import { TunnelError, type TunnelErrorOptions } from '../errors.ts'
import { explainFileError } from '../net/smallfile.ts'
import { SUBPROTOCOL } from '../wire/message.ts'
import type { Carrier } from './carrier.ts'
import { clientOptions, Upgrade, type Upgraded } from './upgrade.ts'
import { WebSocketCarrier } from './websocket.ts'

export interface GatewayAddress {
  /** `ws:` or `wss:`, with a path if the gateway lives under one. */
  readonly url: URL
  /** PEM file of the certificate authority that has signed the gateway's certificate. */
  readonly caFile?: string
}

export interface DialOptions extends GatewayAddress {
  readonly role: 'connect' | 'agent'
  readonly token: string
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
const MAX_REFUSAL_BYTES = 1_024

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
  endpoint.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${role}`
  const masking = url.protocol === 'wss:' || isLoopback(url.hostname) ? 'zero' : 'random'
  const ca = options.caFile === undefined ? undefined : readCa(options.caFile)
  return new Promise((resolve, reject) => {
    const upgrade = new Upgrade(endpoint, SUBPROTOCOL, {
      ...clientOptions,
      headers: { authorization: `Bearer ${token}` },
      ...(ca !== undefined && { ca }),
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

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'))

function readCa(file: string): string {
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

/** The gateway, or whatever answers in its place, has answered with an HTTP status. */
async function refusalOf(url: URL, response: IncomingMessage): Promise<TunnelError> {
  const { statusCode: status = 0 } = response
  const text = (await readText(response)).trim()
  const said = text === '' || text.startsWith('<') ? '' : `: ${text.split('\n')[0]}`
  switch (status) {
    case 400:
      return new TunnelError('PROTOCOL', `the gateway refused the request${said}`)
    case 401:
      return new TunnelError('UNAUTHENTICATED', `the gateway does not accept the token${said}`)
    case 403:
      return new TunnelError('FORBIDDEN', `the gateway forbids this${said}`)
    case 426:
      return new TunnelError('VERSION', `the gateway speaks another version${said}`)
    case 429:
    case 502:
    case 503:
    case 504:
      return unreachable(url, `it answered with status ${status}${said}`)
    default:
      return new TunnelError(
        'NOT_A_GATEWAY',
        `${url.host} is not a tunnelctl gateway: it answered with status ${status}`,
      )
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += String(chunk)
      if (text.length >= MAX_REFUSAL_BYTES) break
    }
  } catch {
    // What was read so far says enough.
  }
  return text.slice(0, MAX_REFUSAL_BYTES)
}

function explain(url: URL, error: NodeJS.ErrnoException): TunnelError {
  const { code = '' } = error
  if (/^(ERR_TLS|CERT_|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/.test(code)) {
    return new TunnelError('TLS', `no secure connection to ${url.host}: ${tlsReasons.get(code) ?? error.message}`, {
      cause: error,
    })
  }
  if (code.startsWith('HPE_') || /Sec-WebSocket|Invalid (Upgrade|status)|Server sent/i.test(error.message)) {
    return new TunnelError('NOT_A_GATEWAY', `${url.host} is not a tunnelctl gateway: it does not speak WebSocket`, {
      cause: error,
    })
  }
  if (code === 'ECONNRESET') {
    const scheme = url.protocol === 'wss:' ? 'without TLS there, write ws://' : 'with TLS there, write wss://'
    return unreachable(url, 'it closed the connection', { cause: error, hint: `check the URL of --gateway: ${scheme}` })
  }
  return unreachable(url, reasons.get(code) ?? (code || error.message), { cause: error })
}

const reasons = new Map([
  ['ECONNREFUSED', 'it refused the connection'],
  ['ENOTFOUND', 'its name does not resolve'],
  ['EAI_AGAIN', 'its name cannot be resolved now'],
  ['ETIMEDOUT', 'it did not answer'],
  ['EHOSTUNREACH', 'there is no way to its host'],
  ['ENETUNREACH', 'there is no way to its network'],
])

const tlsReasons = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate is signed by an authority that this machine does not know'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate is signed by an authority that this machine does not know'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its certificate is signed by an authority that this machine does not know'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
  ['EPROTO', 'it does not speak TLS there'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS there'],
])

function unreachable(url: URL, why: string, options?: TunnelErrorOptions): TunnelError {
  return new TunnelError('GATEWAY_UNREACHABLE', `cannot reach the gateway at ${url.host}: ${why}`, options)
}
